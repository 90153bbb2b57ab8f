// Package driver serves a pool of volumes to Kubernetes over the Container
// Storage Interface, and does wrong what a snapshot class asks it to.
package driver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"

	"longrun/embedded/internal/pool"
)

// Options are what a driver is told when it starts.
type Options struct {
	// Name of the driver, as in StorageClass.provisioner.
	Name string
	// KubeletRoot is the kubelet's --root-dir.
	KubeletRoot string
	// Data is where a btrfs file system is mounted.
	Data string
	// Node is the name of the Kubernetes node.
	Node string
	// Now is time.Now unless a test has a clock of its own.
	Now func() time.Time
	Log *slog.Logger
}

// Socket returns where the Container Storage Interface is served.
func (o Options) Socket() string {
	return filepath.Join(o.KubeletRoot, "plugins", o.Name, "csi.sock")
}

// RegistrationSocket returns where the kubelet looks for drivers.
func (o Options) RegistrationSocket() string {
	return filepath.Join(o.KubeletRoot, "plugins_registry", o.Name+"-reg.sock")
}

// Run serves until ctx is done, and then finishes the requests that it has.
func Run(ctx context.Context, options Options) error {
	kept, err := pool.Open(options.Data)
	if err != nil {
		return err
	}
	stopped := make(chan error, 3)

	storage := grpc.NewServer(grpc.UnaryInterceptor(logged(options.Log)))
	csi.RegisterIdentityServer(storage, &identity{name: options.Name})
	csi.RegisterControllerServer(storage, &controller{pool: kept, now: options.Now})
	csi.RegisterNodeServer(storage, &node{pool: kept, name: options.Node})

	door := grpc.NewServer()
	registration.RegisterRegistrationServer(door, &registrar{
		name: options.Name, endpoint: options.Socket(), refused: stopped,
	})

	// The kubelet calls the first socket as soon as it sees the second.
	for _, serve := range []struct {
		server *grpc.Server
		path   string
	}{{storage, options.Socket()}, {door, options.RegistrationSocket()}} {
		listener, err := listen(serve.path)
		if err != nil {
			storage.Stop()
			return err
		}
		go func() { stopped <- serve.server.Serve(listener) }()
	}
	options.Log.Info("serving", "driver", options.Name, "data", options.Data, "socket", options.Socket())

	select {
	case <-ctx.Done():
	case err = <-stopped:
	}
	door.Stop()
	finish(storage)
	return err
}

// finish gives running requests a moment. None of them leaves anything half
// done when it is cut off, but its caller would have to find that out.
func finish(server *grpc.Server) {
	timer := time.AfterFunc(5*time.Second, server.Stop)
	defer timer.Stop()
	server.GracefulStop()
}

// listen opens a socket in the place of the one that a killed driver left.
func listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil && len(path) > 107 {
		// The kernel's own words for this are "invalid argument".
		err = fmt.Errorf("%w: the path has %d bytes, a socket's may have 107", err, len(path))
	}
	return listener, err
}

// logged writes a line for each request that changes something or fails: the
// sidecars ask several times a minute who is there.
func logged(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		began := time.Now()
		response, err := handle(ctx, request)
		method := info.FullMethod[strings.LastIndexByte(info.FullMethod, '/')+1:]
		took := time.Since(began).Round(100 * time.Microsecond)
		switch {
		case err != nil:
			log.Warn(method, "about", about(request), "took", took,
				"code", status.Code(err), "error", status.Convert(err).Message())
		case strings.Contains(method, "Get") || method == "Probe" || strings.HasPrefix(method, "List"):
		default:
			log.Info(method, "about", about(request), "took", took)
		}
		return response, err
	}
}

// about names the object of a request, and nothing else of it: some carry
// secrets.
func about(request any) string {
	switch request := request.(type) {
	case interface{ GetName() string }:
		return request.GetName()
	case interface{ GetVolumeId() string }:
		return request.GetVolumeId()
	case interface{ GetSnapshotId() string }:
		return request.GetSnapshotId()
	}
	return ""
}
