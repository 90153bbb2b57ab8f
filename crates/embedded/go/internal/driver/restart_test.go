package driver_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"

	"longrun/embedded/internal/driver"
)

func TestEverythingIsThereAfterARestart(t *testing.T) {
	m := start(t)
	volume, path := m.data(volumeRequest("pvc-1", 32*MiB))
	id, target := volume.GetVolumeId(), filepath.Join(t.TempDir(), "mount")
	write(t, filepath.Join(path, "file"), "kept")
	m.publish(id, target, false)
	taken := m.snapshot("snapshot-1", id, class{"ready": "never", "refuseDeletion": "true"})
	_, err := m.ask("snapshot-2", id, class{"fail": "internal", "failTimes": "2"})
	refused(t, err, codes.Internal, "the 1.")

	ok(t, m.stop())
	for _, socket := range []string{m.options.Socket(), m.options.RegistrationSocket()} {
		if _, err := os.Stat(socket); err == nil {
			t.Fatalf("%s is left behind", socket)
		}
		leaveStaleSocket(t, socket)
	}
	m.run()

	if again := m.volume(volumeRequest("pvc-1", 32*MiB)); again.String() != volume.String() {
		t.Fatal(again)
	}
	m.publish(id, target, false)
	holds(t, filepath.Join(target, "file"), "kept")
	m.unpublish(id, target)
	refused(t, m.delete("snapshot-1"), codes.FailedPrecondition, "refused")
	if m.listedReady("snapshot-1") {
		t.Fatal("what is never ready became ready")
	}
	if again := m.snapshot("snapshot-1", id, nil); !again.GetCreationTime().AsTime().Equal(taken.GetCreationTime().AsTime()) || !again.GetReadyToUse() {
		t.Fatal(again)
	}
	_, err = m.ask("snapshot-2", id, class{"fail": "internal", "failTimes": "2"})
	refused(t, err, codes.Internal, "the 2.")
	m.snapshot("snapshot-2", id, class{"fail": "internal", "failTimes": "2"})
	if written, err := fill(t, filepath.Join(path, "more")); !full(err) || written > 32*MiB {
		t.Fatalf("%d MiB of 32 were written until %v", written/MiB, err)
	}
}

// leaveStaleSocket does what a driver that is killed does.
func leaveStaleSocket(t *testing.T, path string) {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	ok(t, err)
	listener.SetUnlinkOnClose(false)
	ok(t, listener.Close())
}

// A driver that is killed while it makes something leaves a subvolume without
// a record, or half a record: nobody was told that it exists.
func TestWhatACrashLeftIsReplaced(t *testing.T) {
	m := start(t)
	volume := m.volume(volumeRequest("pvc-1", 16*MiB)).GetVolumeId()
	ok(t, m.stop())
	for _, path := range []string{"volumes/pvc-2", "snapshots/snapshot-1"} {
		left := filepath.Join(m.options.Data, path)
		output, err := exec.Command("btrfs", "subvolume", "create", left).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		write(t, filepath.Join(left, "half"), "written")
	}
	write(t, filepath.Join(m.options.Data, "volumes", ".unfinished-1"), "{")
	m.run()

	_, path := m.data(volumeRequest("pvc-2", 16*MiB))
	m.snapshot("snapshot-1", volume, nil)
	_, restored := m.data(restoreRequest("pvc-3", 0, "snapshot-1"))
	for _, directory := range []string{path, restored} {
		if left, err := os.ReadDir(directory); err != nil || len(left) > 0 {
			t.Fatal(left, err)
		}
	}
	if _, err := os.Stat(filepath.Join(m.options.Data, "volumes", ".unfinished-1")); err == nil {
		t.Fatal("half a record is still there")
	}
}

// A deletion that was cut off after its record went can be asked for again.
func TestADeletionGoesOn(t *testing.T) {
	m := start(t)
	volume, path := m.data(volumeRequest("pvc-1", 16*MiB))
	ok(t, os.Remove(path+".json"))
	_, err := m.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: volume.GetVolumeId()})
	ok(t, err)
	if _, err := os.Stat(path); err == nil {
		t.Fatal("the subvolume is still there")
	}
}

func TestTheKubeletFindsTheDriver(t *testing.T) {
	m := start(t)
	kubelet := registration.NewRegistrationClient(m.dial(m.options.RegistrationSocket()))
	info, err := kubelet.GetInfo(t.Context(), &registration.InfoRequest{})
	ok(t, err)
	if info.GetType() != "CSIPlugin" || info.GetName() != "csi.longrun.dev" ||
		info.GetEndpoint() != m.options.Socket() || strings.Join(info.GetSupportedVersions(), " ") != "1.0.0" {
		t.Fatal(info)
	}
	_, err = kubelet.NotifyRegistrationStatus(t.Context(), &registration.RegistrationStatus{PluginRegistered: true})
	ok(t, err)
	node, err := m.node.NodeGetInfo(t.Context(), &csi.NodeGetInfoRequest{})
	ok(t, err)
	if node.GetNodeId() != "here" {
		t.Fatal(node)
	}
}

// A driver that the kubelet does not know is of no use: it ends and says why,
// and whoever watches over it starts another.
func TestADriverThatIsNotRegisteredEnds(t *testing.T) {
	m := start(t)
	kubelet := registration.NewRegistrationClient(m.dial(m.options.RegistrationSocket()))
	// The driver may be gone before its answer is.
	_, _ = kubelet.NotifyRegistrationStatus(t.Context(), &registration.RegistrationStatus{Error: "wrong version"})
	if err := m.wait(); err == nil || !strings.Contains(err.Error(), "wrong version") {
		t.Fatal(err)
	}
}

func TestADriverNeedsBtrfs(t *testing.T) {
	m := start(t)
	m.options.Data = t.TempDir()
	if err := driver.Run(t.Context(), m.options); err == nil || !strings.Contains(err.Error(), "not on a btrfs") {
		t.Fatal(err)
	}
}
