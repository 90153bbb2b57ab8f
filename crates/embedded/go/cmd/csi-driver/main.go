// Command csi-driver keeps a cluster's volumes and snapshots on a btrfs file
// system of the machine, and can be told to be slow, incomplete or broken.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"longrun/embedded/internal/driver"
)

func main() {
	options := driver.Options{
		Now: time.Now,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	flag.StringVar(&options.Name, "name", "csi.longrun.dev", "name of the driver")
	flag.StringVar(&options.KubeletRoot, "kubelet-root", "", "the kubelet's --root-dir; the sockets are below it")
	flag.StringVar(&options.Data, "data", "", "where a btrfs file system is mounted, for volumes and snapshots")
	flag.StringVar(&options.Node, "node", "", "name of the Kubernetes node")
	flag.Parse()
	if err := complete(options); err != nil {
		fmt.Fprintln(os.Stderr, "csi-driver:", err)
		flag.Usage()
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := driver.Run(ctx, options)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "csi-driver:", err)
		os.Exit(1)
	}
}

func complete(options driver.Options) error {
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	for name, value := range map[string]string{
		"name": options.Name, "kubelet-root": options.KubeletRoot, "data": options.Data, "node": options.Node,
	} {
		if value == "" {
			return fmt.Errorf("--%s is missing", name)
		}
	}
	return nil
}
