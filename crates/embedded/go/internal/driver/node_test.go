package driver_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
)

func publishRequest(volume, target string, readOnly bool) *csi.NodePublishVolumeRequest {
	return &csi.NodePublishVolumeRequest{
		VolumeId: volume, TargetPath: target, VolumeCapability: writable, Readonly: readOnly,
	}
}

func (m *machine) publish(volume, target string, readOnly bool) {
	m.Helper()
	_, err := m.node.NodePublishVolume(m.Context(), publishRequest(volume, target, readOnly))
	ok(m, err)
}

func (m *machine) unpublish(volume, target string) {
	m.Helper()
	_, err := m.node.NodeUnpublishVolume(m.Context(), &csi.NodeUnpublishVolumeRequest{VolumeId: volume, TargetPath: target})
	ok(m, err)
}

func mounts(t *testing.T) int {
	t.Helper()
	lines, err := os.ReadFile("/proc/self/mountinfo")
	ok(t, err)
	count := 0
	for _, b := range lines {
		if b == '\n' {
			count++
		}
	}
	return count
}

func TestPublishAndUnpublish(t *testing.T) {
	m := start(t)
	volume, path := m.data(volumeRequest("pvc-1", 16*MiB))
	id, target := volume.GetVolumeId(), filepath.Join(t.TempDir(), "pod", "mount")
	before := mounts(t)
	m.publish(id, target, false)
	m.publish(id, target, false)
	if got := mounts(t); got != before+1 {
		t.Fatalf("%d mounts, not one more than %d", got, before)
	}
	write(t, filepath.Join(target, "file"), "written by a pod")

	_, err := m.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: id})
	refused(t, err, codes.FailedPrecondition, target)

	m.unpublish(id, target)
	m.unpublish(id, target)
	if _, err := os.Stat(target); !errors.Is(err, os.ErrNotExist) || mounts(t) != before {
		t.Fatal("the target is still there: ", err)
	}
	holds(t, filepath.Join(path, "file"), "written by a pod")
	_, err = m.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: id})
	ok(t, err)
}

func TestPublishReadOnly(t *testing.T) {
	m := start(t)
	volume, path := m.data(volumeRequest("pvc-1", 16*MiB))
	id, target := volume.GetVolumeId(), filepath.Join(t.TempDir(), "mount")
	write(t, filepath.Join(path, "file"), "read")
	m.publish(id, target, true)
	m.publish(id, target, true)
	holds(t, filepath.Join(target, "file"), "read")
	if err := os.WriteFile(filepath.Join(target, "file"), nil, 0o600); !errors.Is(err, syscall.EROFS) {
		t.Fatal(err)
	}
	// The volume itself, and other pods' views of it, stay as they are.
	write(t, filepath.Join(path, "other"), "written")
	_, err := m.node.NodePublishVolume(t.Context(), publishRequest(id, target, false))
	refused(t, err, codes.AlreadyExists, "read-only true")
	m.unpublish(id, target)
}

// What lies in a target that is no mount belongs to somebody.
func TestUnpublishRemovesNoFiles(t *testing.T) {
	m := start(t)
	target := t.TempDir()
	write(t, filepath.Join(target, "file"), "kept")
	_, err := m.node.NodeUnpublishVolume(t.Context(), &csi.NodeUnpublishVolumeRequest{VolumeId: "pvc-1", TargetPath: target})
	refused(t, err, codes.Internal, "not empty")
	holds(t, filepath.Join(target, "file"), "kept")
}

func TestStatsAreThoseOfTheVolume(t *testing.T) {
	m := start(t)
	volume, path := m.data(volumeRequest("pvc-1", 64*MiB))
	id, target := volume.GetVolumeId(), filepath.Join(t.TempDir(), "mount")
	ok(t, os.WriteFile(filepath.Join(path, "file"), make([]byte, 20*MiB), 0o600))
	m.publish(id, target, false)
	defer m.unpublish(id, target)
	syscall.Sync() // accounts are settled when the file system commits
	response, err := m.node.NodeGetVolumeStats(t.Context(), &csi.NodeGetVolumeStatsRequest{VolumeId: id, VolumePath: target})
	ok(t, err)
	usage := response.GetUsage()[0]
	if usage.GetTotal() != 64*MiB || usage.GetUsed() < 20*MiB || usage.GetUsed() > 21*MiB ||
		usage.GetAvailable() != usage.GetTotal()-usage.GetUsed() {
		t.Fatal(usage)
	}
	_, err = m.node.NodeGetVolumeStats(t.Context(), &csi.NodeGetVolumeStatsRequest{VolumeId: id, VolumePath: t.TempDir()})
	refused(t, err, codes.NotFound, "is not at")
}
