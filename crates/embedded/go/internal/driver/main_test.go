package driver_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// The tests run on a real btrfs file system, in a mount namespace of their
// own: however they end, the mount ends with them, and the loop device with it.

const (
	inNamespace = "LONGRUN_TEST_IN_NAMESPACE"
	poolSize    = 2 << 30 // sparse: what the tests write is all that it takes
)

// mounted is where the file system is; missing is why there is none.
var mounted, missing string

func TestMain(m *testing.M) {
	if missing = unavailable(); missing != "" {
		os.Exit(m.Run())
	}
	if os.Getenv(inNamespace) == "" {
		os.Exit(runInNamespace())
	}
	directory, err := os.MkdirTemp("", "pool")
	if err == nil {
		mounted, err = mountPool(directory)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = syscall.Unmount(mounted, syscall.MNT_DETACH)
	_ = os.RemoveAll(directory)
	os.Exit(code)
}

// unavailable names the first thing that the tests need and this machine lacks.
func unavailable() string {
	if os.Geteuid() != 0 {
		return "not root: cannot mount"
	}
	for _, tool := range []string{"mkfs.btrfs", "btrfs", "mount"} {
		if _, err := exec.LookPath(tool); err != nil {
			return tool + " is not installed: apt-get install btrfs-progs"
		}
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		return "no loop devices"
	}
	// Loads the module where there is one; the mount says when there is not.
	_ = exec.Command("modprobe", "btrfs").Run()
	if _, err := os.Stat("/sys/fs/btrfs"); err != nil {
		return "the kernel has no btrfs"
	}
	return ""
}

func runInNamespace() int {
	command := exec.Command(os.Args[0], os.Args[1:]...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Env = append(os.Environ(), inNamespace+"=yes")
	command.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	err := command.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func mountPool(directory string) (string, error) {
	image, point := filepath.Join(directory, "image"), filepath.Join(directory, "mount")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		return "", err
	}
	if err := os.Truncate(image, poolSize); err != nil {
		return "", err
	}
	if err := os.Mkdir(point, 0o700); err != nil {
		return "", err
	}
	for _, command := range [][]string{
		{"mkfs.btrfs", "--quiet", image},
		{"mount", "-o", "loop", "-t", "btrfs", image, point},
	} {
		if output, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%v: %w: %s", command, err, output)
		}
	}
	return point, nil
}
