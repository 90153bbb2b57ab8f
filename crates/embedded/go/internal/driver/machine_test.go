package driver_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"longrun/embedded/internal/driver"
)

const MiB = 1 << 20

// A machine is a driver with its pool and clients, and a clock that only moves
// when it is told to.
type machine struct {
	*testing.T
	csi.ControllerClient
	node    csi.NodeClient
	options driver.Options
	clock   *clock
	// stop ends the driver, wait waits until it ends by itself.
	stop, wait func() error
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

func start(t *testing.T) *machine {
	t.Helper()
	if missing != "" {
		t.Skip("needs a btrfs file system of its own: ", missing)
	}
	data, err := os.MkdirTemp(mounted, "data")
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir: with a test's name in it a socket's path gets too long.
	root, err := os.MkdirTemp("", "kubelet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	m := &machine{T: t, clock: &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}}
	m.options = driver.Options{
		Name: "csi.longrun.dev", KubeletRoot: root, Data: data, Node: "here",
		Now: m.clock.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	m.run()
	t.Cleanup(func() { _ = m.stop() })
	return m
}

// run starts the driver and waits until its last socket answers: a socket that an earlier one left is there
// and does not.
func (m *machine) run() {
	m.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- driver.Run(ctx, m.options) }()
	m.wait = sync.OnceValue(func() error { return <-ended })
	m.stop = func() error { cancel(); return m.wait() }

	connection := m.dial(m.options.Socket())
	m.ControllerClient, m.node = csi.NewControllerClient(connection), csi.NewNodeClient(connection)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if answered, err := net.Dial("unix", m.options.RegistrationSocket()); err == nil {
			ok(m, answered.Close())
			return
		}
		if time.Now().After(deadline) {
			m.Fatal("the driver does not serve: ", m.stop())
		}
	}
}

func (m *machine) dial(socket string) *grpc.ClientConn {
	m.Helper()
	connection, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { _ = connection.Close() })
	return connection
}

var writable = &csi.VolumeCapability{
	AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{}},
	AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER},
}

func volumeRequest(name string, bytes int64) *csi.CreateVolumeRequest {
	return &csi.CreateVolumeRequest{
		Name:               name,
		CapacityRange:      &csi.CapacityRange{RequiredBytes: bytes},
		VolumeCapabilities: []*csi.VolumeCapability{writable},
	}
}

func restoreRequest(name string, bytes int64, snapshot string) *csi.CreateVolumeRequest {
	request := volumeRequest(name, bytes)
	request.VolumeContentSource = &csi.VolumeContentSource{Type: &csi.VolumeContentSource_Snapshot{
		Snapshot: &csi.VolumeContentSource_SnapshotSource{SnapshotId: snapshot},
	}}
	return request
}

func (m *machine) volume(request *csi.CreateVolumeRequest) *csi.Volume {
	m.Helper()
	response, err := m.CreateVolume(m.Context(), request)
	if err != nil {
		m.Fatal(err)
	}
	return response.GetVolume()
}

// data creates a volume and returns its directory as well.
func (m *machine) data(request *csi.CreateVolumeRequest) (*csi.Volume, string) {
	m.Helper()
	volume := m.volume(request)
	return volume, filepath.Join(m.options.Data, "volumes", volume.GetVolumeId())
}

func (m *machine) ask(name, volume string, parameters map[string]string) (*csi.Snapshot, error) {
	response, err := m.CreateSnapshot(m.Context(), &csi.CreateSnapshotRequest{
		Name: name, SourceVolumeId: volume, Parameters: parameters,
	})
	return response.GetSnapshot(), err
}

func (m *machine) snapshot(name, volume string, parameters map[string]string) *csi.Snapshot {
	m.Helper()
	snapshot, err := m.ask(name, volume, parameters)
	if err != nil {
		m.Fatal(err)
	}
	return snapshot
}

func (m *machine) delete(snapshot string) error {
	_, err := m.DeleteSnapshot(m.Context(), &csi.DeleteSnapshotRequest{SnapshotId: snapshot})
	return err
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func holds(t testing.TB, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Fatalf("%s holds %q, not %q", path, got, want)
	}
}

// refused checks how a request ended, and that its message says why.
func refused(t testing.TB, err error, code codes.Code, words string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), words) {
		t.Fatalf("answered %v, not %v with %q", err, code, words)
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
