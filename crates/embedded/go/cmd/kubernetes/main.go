// Command kubernetes is etcd, every Kubernetes component and network-policies in one program,
// so that they are linked once: six programs of their own would hold the same
// client and API types six times over, on disk and in the page cache.
//
// A link named after a component selects it; called by any other name, the
// first argument does.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	// Time zones of CronJobs do not depend on the machine's tzdata package.
	_ "time/tzdata"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"longrun/embedded/internal/policies"
)

// A component runs until its work is done and returns the exit code.
// It reads its arguments from os.Args, as each was written to do.
type component func() int

var components = map[string]component{
	"etcd":                    etcd,
	"kube-apiserver":          command(apiserver.NewAPIServerCommand),
	"kube-controller-manager": command(controllers.NewControllerManagerCommand),
	"kube-scheduler":          command(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	"kube-proxy":              command(proxy.NewProxyCommand),
	"kubectl":                 kubectl,
	"network-policies":        command(policies.Command),
	"kubelet":                 command(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }),
}

func main() {
	run, args := choose(os.Args)
	if run == nil {
		usage(os.Stderr)
		os.Exit(2)
	}
	os.Args = args
	os.Exit(run())
}

// choose returns the component that args ask for, or nil, and the arguments
// as that component expects them: its own name first.
func choose(args []string) (component, []string) {
	for i := 0; i < min(2, len(args)); i++ {
		if run, ok := components[filepath.Base(args[i])]; ok {
			return run, args[i:]
		}
	}
	return nil, nil
}

func usage(to io.Writer) {
	names := make([]string, 0, len(components))
	for name := range components {
		names = append(names, name)
	}
	slices.Sort(names)
	fmt.Fprintf(to, "usage: kubernetes COMPONENT [FLAG…]\ncomponents: %s\n", strings.Join(names, ", "))
}

// command adapts a component that is a cobra command. It is built only when it
// is chosen, because building one registers its flags globally.
func command(build func() *cobra.Command) component {
	return func() int { return cli.Run(build()) }
}

func etcd() int {
	etcdmain.Main(os.Args)
	return 0
}
