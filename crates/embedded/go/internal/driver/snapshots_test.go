package driver_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
)

// A journal is a file to which numbers are appended, each synced before append
// returns: a database's log in one line.
type journal struct{ *os.File }

func openJournal(t *testing.T, path string) journal {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	ok(t, err)
	return journal{file}
}

func (j journal) append(number uint64) error {
	if _, err := j.Write(binary.BigEndian.AppendUint64(nil, number)); err != nil {
		return err
	}
	return j.Sync()
}

// length checks that the journal holds 1, 2, 3 … and returns how many.
func length(t *testing.T, path string) uint64 {
	t.Helper()
	bytes, err := os.ReadFile(path)
	ok(t, err)
	if len(bytes)%8 != 0 {
		t.Fatalf("%s ends within a record", path)
	}
	for i := uint64(0); i < uint64(len(bytes)/8); i++ {
		if got := binary.BigEndian.Uint64(bytes[8*i:]); got != i+1 {
			t.Fatalf("record %d of %s is %d", i+1, path, got)
		}
	}
	return uint64(len(bytes) / 8)
}

// The writer appends each number to one file and then to another. Whatever the
// instant of a snapshot, the second never has more than the first, the first
// at most one more, and both have all that was written before.
func TestASnapshotIsOneInstantUnderAWriter(t *testing.T) {
	m := start(t)
	volume, path := m.data(volumeRequest("pvc-1", 64*MiB))
	first := openJournal(t, filepath.Join(path, "first"))
	defer first.Close()
	// A snapshot that were a copy would be busy with this between the two.
	ok(t, os.WriteFile(filepath.Join(path, "much"), make([]byte, 48*MiB), 0o600))
	second := openJournal(t, filepath.Join(path, "second"))
	defer second.Close()

	var written atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for number := uint64(1); ; number++ {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			err := first.append(number)
			if err == nil {
				err = second.append(number)
			}
			if err != nil {
				stopped <- err
				return
			}
			written.Store(number)
		}
	}()
	for i := range 20 {
		before := written.Load()
		snapshot := m.snapshot("snapshot-"+string(rune('a'+i)), volume.GetVolumeId(), nil)
		after := written.Load() + 1

		_, restored := m.data(restoreRequest("pvc-restored-"+string(rune('a'+i)), 0, snapshot.GetSnapshotId()))
		one, two := length(t, filepath.Join(restored, "first")), length(t, filepath.Join(restored, "second"))
		if two > one || one > two+1 || two < before || one > after {
			t.Fatalf("snapshot %d has %d and %d numbers; %d were written before it, at most %d after", i, one, two, before, after)
		}
	}
	close(stop)
	ok(t, <-stopped)
	if written.Load() < 20 {
		t.Fatalf("the writer hardly ran: %d numbers", written.Load())
	}
}

func TestASnapshotHasWhatWasWrittenButNotSynced(t *testing.T) {
	m := start(t)
	volume, path := m.data(volumeRequest("pvc-1", 64*MiB))
	write(t, filepath.Join(path, "file"), "before")
	snapshot := m.snapshot("snapshot-1", volume.GetVolumeId(), nil)
	write(t, filepath.Join(path, "file"), "after")
	if !snapshot.GetReadyToUse() || snapshot.GetSizeBytes() != 64*MiB || !snapshot.GetCreationTime().AsTime().Equal(m.clock.Now()) {
		t.Fatal(snapshot)
	}
	_, restored := m.data(restoreRequest("pvc-2", 64*MiB, snapshot.GetSnapshotId()))
	holds(t, filepath.Join(restored, "file"), "before")
}

func TestTheSameRequestGetsTheSameSnapshot(t *testing.T) {
	m := start(t)
	volume, path := m.data(volumeRequest("pvc-1", 16*MiB))
	other := m.volume(volumeRequest("pvc-2", 16*MiB))
	write(t, filepath.Join(path, "file"), "then")
	first := m.snapshot("snapshot-1", volume.GetVolumeId(), nil)
	write(t, filepath.Join(path, "file"), "now")
	m.clock.advance(1e9)
	again := m.snapshot("snapshot-1", volume.GetVolumeId(), nil)
	if again.String() != first.String() {
		t.Fatal(again)
	}
	_, restored := m.data(restoreRequest("pvc-3", 0, again.GetSnapshotId()))
	holds(t, filepath.Join(restored, "file"), "then")

	_, err := m.ask("snapshot-1", other.GetVolumeId(), nil)
	refused(t, err, codes.AlreadyExists, "different properties")
	_, err = m.ask("snapshot-2", "pvc-unknown", nil)
	refused(t, err, codes.NotFound, "pvc-unknown")
}

func TestNobodyCanWriteToASnapshot(t *testing.T) {
	m := start(t)
	volume := m.volume(volumeRequest("pvc-1", 16*MiB))
	snapshot := m.snapshot("snapshot-1", volume.GetVolumeId(), nil)
	err := os.WriteFile(filepath.Join(m.options.Data, "snapshots", snapshot.GetSnapshotId(), "file"), nil, 0o600)
	if err == nil {
		t.Fatal("a file was written into a snapshot")
	}
}

func TestARestoredVolumeHasItsOwnLimitAndLife(t *testing.T) {
	m := start(t)
	volume, path := m.data(volumeRequest("pvc-1", 32*MiB))
	write(t, filepath.Join(path, "file"), "kept")
	snapshot := m.snapshot("snapshot-1", volume.GetVolumeId(), nil)
	request := restoreRequest("pvc-2", 48*MiB, snapshot.GetSnapshotId())
	restored, copied := m.data(request)
	if restored.GetCapacityBytes() != 48*MiB || restored.GetContentSource().GetSnapshot().GetSnapshotId() != snapshot.GetSnapshotId() {
		t.Fatal(restored)
	}
	_, err := fill(t, filepath.Join(path, "more"))
	if !full(err) {
		t.Fatal(err)
	}
	written, err := fill(t, filepath.Join(copied, "more"))
	if !full(err) || written < 45*MiB || written > 48*MiB {
		t.Fatalf("%d MiB of 48 were written until %v", written/MiB, err)
	}

	_, err = m.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: volume.GetVolumeId()})
	ok(t, err)
	ok(t, m.delete(snapshot.GetSnapshotId()))
	ok(t, m.delete(snapshot.GetSnapshotId()))
	holds(t, filepath.Join(copied, "file"), "kept")
	_, err = m.CreateVolume(t.Context(), restoreRequest("pvc-3", 0, snapshot.GetSnapshotId()))
	refused(t, err, codes.NotFound, "snapshot-1")
}

func TestARestoreNeedsTheSizeOfItsSource(t *testing.T) {
	m := start(t)
	volume := m.volume(volumeRequest("pvc-1", 32*MiB))
	snapshot := m.snapshot("snapshot-1", volume.GetVolumeId(), nil)
	_, err := m.CreateVolume(t.Context(), restoreRequest("pvc-2", 31*MiB, snapshot.GetSnapshotId()))
	refused(t, err, codes.OutOfRange, "snapshot's source")
	if got := m.volume(restoreRequest("pvc-2", 0, snapshot.GetSnapshotId())).GetCapacityBytes(); got != 32*MiB {
		t.Fatal(got)
	}
}

func TestSnapshotsAreListed(t *testing.T) {
	m := start(t)
	one, other := m.volume(volumeRequest("pvc-1", 16*MiB)).GetVolumeId(), m.volume(volumeRequest("pvc-2", 16*MiB)).GetVolumeId()
	for name, volume := range map[string]string{"s1": one, "s2": other, "s3": one} {
		m.snapshot(name, volume, nil)
	}
	list := func(request *csi.ListSnapshotsRequest) (ids string, next string) {
		response, err := m.ListSnapshots(t.Context(), request)
		ok(t, err)
		for _, entry := range response.GetEntries() {
			ids += entry.GetSnapshot().GetSnapshotId() + " "
		}
		return ids, response.GetNextToken()
	}
	for want, request := range map[string]*csi.ListSnapshotsRequest{
		"s1 s2 s3 ": {},
		"s1 s3 ":    {SourceVolumeId: one},
		"s2 ":       {SnapshotId: "s2"},
		"":          {SnapshotId: "unknown"},
		"s1 s2 ":    {MaxEntries: 2},
		"s3 ":       {MaxEntries: 2, StartingToken: "s3"},
	} {
		if got, _ := list(request); got != want {
			t.Errorf("%v lists %q, not %q", request, got, want)
		}
	}
	if _, next := list(&csi.ListSnapshotsRequest{MaxEntries: 2}); next != "s3" {
		t.Error(next)
	}
	_, err := m.ListSnapshots(t.Context(), &csi.ListSnapshotsRequest{StartingToken: "unknown"})
	refused(t, err, codes.Aborted, "list again")
}
