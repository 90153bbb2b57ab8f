package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

const asPause = "LONGRUN_TEST_AS_PAUSE"

// TestMain plays the first process of a pod when it is asked to: it leaves an
// orphan, as an exec probe does, and is the pause program from then on.
func TestMain(m *testing.M) {
	if os.Getenv(asPause) == "" {
		os.Exit(m.Run())
	}
	// The shell ends at once, and its child goes to the first process.
	if err := exec.Command("sh", "-c", "sleep 0.2 &").Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	main()
}

func TestPauseReapsOrphansAndEndsWhenAsked(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: cannot be the first process of a namespace")
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		pause := exec.Command(os.Args[0])
		pause.Env = append(os.Environ(), asPause+"=yes")
		pause.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
		if err := pause.Start(); err != nil {
			t.Fatal(err)
		}
		// Zombies are children too until somebody waits for them.
		until(t, "an orphan", func() bool { return strings.Contains(children(t, pause.Process.Pid), "sleep") })
		until(t, "no children", func() bool { return children(t, pause.Process.Pid) == "" })
		if err := pause.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := pause.Wait(); err != nil {
			t.Fatalf("%v: %v", signal, err)
		}
	}
}

// children returns the lines of ps about the children of a process.
func children(t *testing.T, pid int) string {
	t.Helper()
	lines, err := exec.Command("ps", "-o", "stat=,args=", "--ppid", fmt.Sprint(pid)).Output()
	if err != nil && len(lines) > 0 {
		t.Fatal(err)
	}
	return string(lines)
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for ", what)
		}
	}
}
