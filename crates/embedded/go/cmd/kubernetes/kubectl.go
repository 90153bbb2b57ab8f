package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

// kubectl differs from the servers in two ways: it logs before its flags are
// parsed, so the verbosity is picked out of the arguments first, and it prints
// its errors itself, because a failed request is no misuse of a flag.
func kubectl() int {
	if _, err := logs.GlogSetter(cmd.GetLogVerbosity(os.Args)); err != nil {
		return 1
	}
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		// Exits with the code that kubectl documents for this error.
		util.CheckErr(err)
	}
	return 0
}
