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

// fill writes until it is refused, and returns how much was written and why
// it ended.
func fill(t *testing.T, path string) (int64, error) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	ok(t, err)
	defer file.Close()
	chunk := make([]byte, MiB)
	for written := int64(0); ; {
		n, err := file.Write(chunk)
		written += int64(n)
		if err == nil {
			err = file.Sync()
		}
		if err != nil {
			return written, err
		}
		if written > poolSize {
			t.Fatal("nothing limits the volume")
		}
	}
}

func full(err error) bool {
	return errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.ENOSPC)
}

func TestAVolumeTakesItsCapacityAndNoMore(t *testing.T) {
	m := start(t)
	_, path := m.data(volumeRequest("pvc-1", 32*MiB))
	written, err := fill(t, filepath.Join(path, "file"))
	if !full(err) || written < 30*MiB || written > 32*MiB {
		t.Fatalf("%d MiB of 32 were written until %v", written/MiB, err)
	}
}

func TestAnExpandedVolumeTakesMoreAtOnce(t *testing.T) {
	m := start(t)
	volume, path := m.data(volumeRequest("pvc-1", 16*MiB))
	_, err := fill(t, filepath.Join(path, "before"))
	if !full(err) {
		t.Fatal(err)
	}
	request := &csi.ControllerExpandVolumeRequest{
		VolumeId: volume.GetVolumeId(), CapacityRange: &csi.CapacityRange{RequiredBytes: 48 * MiB},
	}
	for range 2 {
		response, err := m.ControllerExpandVolume(t.Context(), request)
		ok(t, err)
		if response.GetCapacityBytes() != 48*MiB || response.GetNodeExpansionRequired() {
			t.Fatal(response)
		}
	}
	written, err := fill(t, filepath.Join(path, "after"))
	if !full(err) || written < 30*MiB || written > 32*MiB {
		t.Fatalf("%d MiB of 32 more were written until %v", written/MiB, err)
	}
	request.CapacityRange.RequiredBytes = poolSize + 1
	_, err = m.ControllerExpandVolume(t.Context(), request)
	refused(t, err, codes.OutOfRange, "whole pool")
}

func TestAVolumeIsNeverMadeSmaller(t *testing.T) {
	m := start(t)
	volume := m.volume(volumeRequest("pvc-1", 32*MiB))
	response, err := m.ControllerExpandVolume(t.Context(), &csi.ControllerExpandVolumeRequest{
		VolumeId: volume.GetVolumeId(), CapacityRange: &csi.CapacityRange{RequiredBytes: 16 * MiB},
	})
	ok(t, err)
	if response.GetCapacityBytes() != 32*MiB {
		t.Fatal(response)
	}
}

func TestTheSameRequestGetsTheSameVolume(t *testing.T) {
	m := start(t)
	volume, path := m.data(volumeRequest("pvc-1", 16*MiB))
	write(t, filepath.Join(path, "file"), "kept")
	again := m.volume(volumeRequest("pvc-1", 16*MiB))
	if again.GetVolumeId() != volume.GetVolumeId() || again.GetCapacityBytes() != 16*MiB {
		t.Fatal(again)
	}
	holds(t, filepath.Join(path, "file"), "kept")

	_, err := m.CreateVolume(t.Context(), volumeRequest("pvc-1", 17*MiB))
	refused(t, err, codes.AlreadyExists, "different properties")
	snapshot := m.snapshot("snapshot-1", volume.GetVolumeId(), nil)
	_, err = m.CreateVolume(t.Context(), restoreRequest("pvc-1", 16*MiB, snapshot.GetSnapshotId()))
	refused(t, err, codes.AlreadyExists, "different properties")
}

func TestANameThatIsNoFileNameIsKeptUnderAnother(t *testing.T) {
	m := start(t)
	one, first := m.data(volumeRequest("../../escape", 16*MiB))
	other := m.volume(volumeRequest("../../escape ", 16*MiB))
	if one.GetVolumeId() == other.GetVolumeId() {
		t.Fatal("two names share one volume")
	}
	if _, err := os.Stat(first); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"../snapshots", "..", "a/b", ""} {
		_, err := m.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: id})
		if (id == "") != (err != nil) {
			t.Fatal(id, err)
		}
	}
	if _, err := os.Stat(filepath.Join(m.options.Data, "snapshots")); err != nil {
		t.Fatal(err)
	}
}

// A pod that does not run as root needs an fsGroup on a new ext4 disk too.
func TestANewVolumeBelongsToRoot(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	m := start(t)
	_, path := m.data(volumeRequest("pvc-1", 16*MiB))
	info, err := os.Stat(path)
	ok(t, err)
	if info.Mode().Perm() != 0o755 {
		t.Fatal(info.Mode())
	}
}

func TestWhatACloudDiskCannotDoIsRefused(t *testing.T) {
	m := start(t)
	for words, change := range map[string]func(*csi.CreateVolumeRequest){
		"name is missing":          func(r *csi.CreateVolumeRequest) { r.Name = "" },
		"capabilities are missing": func(r *csi.CreateVolumeRequest) { r.VolumeCapabilities = nil },
		"MULTI_NODE_MULTI_WRITER": func(r *csi.CreateVolumeRequest) {
			r.VolumeCapabilities[0].AccessMode.Mode = csi.VolumeCapability_AccessMode_MULTI_NODE_MULTI_WRITER
		},
		"volumeMode Filesystem": func(r *csi.CreateVolumeRequest) {
			r.VolumeCapabilities[0].AccessType = &csi.VolumeCapability_Block{}
		},
		`"ext4"`:           func(r *csi.CreateVolumeRequest) { r.VolumeCapabilities[0].GetMount().FsType = "ext4" },
		"mount options":    func(r *csi.CreateVolumeRequest) { r.VolumeCapabilities[0].GetMount().MountFlags = []string{"sync"} },
		`parameter "iops"`: func(r *csi.CreateVolumeRequest) { r.Parameters = map[string]string{"iops": "3000"} },
		"not as a volume": func(r *csi.CreateVolumeRequest) {
			r.VolumeContentSource = &csi.VolumeContentSource{Type: &csi.VolumeContentSource_Volume{}}
		},
		"is negative": func(r *csi.CreateVolumeRequest) { r.CapacityRange.RequiredBytes = -1 },
	} {
		request := volumeRequest("pvc-1", 16*MiB)
		request.VolumeCapabilities = []*csi.VolumeCapability{{
			AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{}},
			AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER},
		}}
		change(request)
		_, err := m.CreateVolume(t.Context(), request)
		refused(t, err, codes.InvalidArgument, words)
	}
	_, err := m.CreateVolume(t.Context(), volumeRequest("pvc-1", poolSize+1))
	refused(t, err, codes.OutOfRange, "whole pool")
}

func TestAVolumeIsDeletedOnce(t *testing.T) {
	m := start(t)
	volume, path := m.data(volumeRequest("pvc-1", 16*MiB))
	write(t, filepath.Join(path, "file"), "gone")
	for range 2 {
		_, err := m.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: volume.GetVolumeId()})
		ok(t, err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	ok(t, err)
	if len(left) != 0 {
		t.Fatal(left)
	}
}

func TestCapacityIsWhatIsFree(t *testing.T) {
	m := start(t)
	response, err := m.GetCapacity(t.Context(), &csi.GetCapacityRequest{})
	ok(t, err)
	if free := response.GetAvailableCapacity(); free <= 0 || free > poolSize {
		t.Fatal(response)
	}
	if response.GetMaximumVolumeSize().GetValue() != poolSize {
		t.Fatal(response)
	}
}
