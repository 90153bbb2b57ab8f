package driver_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
)

type class = map[string]string

func (m *machine) listedReady(snapshot string) bool {
	m.Helper()
	response, err := m.ListSnapshots(m.Context(), &csi.ListSnapshotsRequest{SnapshotId: snapshot})
	ok(m, err)
	if len(response.GetEntries()) != 1 {
		m.Fatal(response)
	}
	return response.GetEntries()[0].GetSnapshot().GetReadyToUse()
}

func TestReadyAfter(t *testing.T) {
	m := start(t)
	volume := m.volume(volumeRequest("pvc-1", 16*MiB)).GetVolumeId()
	slow := class{"readyAfter": "20s"}
	for _, step := range []struct {
		advance time.Duration
		ready   bool
	}{{0, false}, {19 * time.Second, false}, {time.Second, true}} {
		m.clock.advance(step.advance)
		if snapshot := m.snapshot("snapshot-1", volume, slow); snapshot.GetReadyToUse() != step.ready {
			t.Fatalf("%v: %v", step, snapshot)
		}
		if listed := m.listedReady("snapshot-1"); listed != step.ready {
			t.Fatalf("%v: listed %t", step, listed)
		}
	}
}

func TestNeverReadyUntilTheClassIsPatched(t *testing.T) {
	m := start(t)
	volume, path := m.data(volumeRequest("pvc-1", 16*MiB))
	write(t, filepath.Join(path, "file"), "then")
	snapshot := m.snapshot("snapshot-1", volume.GetVolumeId(), class{"ready": "never"})
	write(t, filepath.Join(path, "file"), "now")
	m.clock.advance(1000 * time.Hour)
	if snapshot.GetReadyToUse() || snapshot.GetSizeBytes() != 16*MiB || m.listedReady("snapshot-1") {
		t.Fatal(snapshot)
	}
	_, err := m.CreateVolume(t.Context(), restoreRequest("pvc-2", 0, "snapshot-1"))
	refused(t, err, codes.Unavailable, "not ready")

	if snapshot = m.snapshot("snapshot-1", volume.GetVolumeId(), nil); !snapshot.GetReadyToUse() {
		t.Fatal(snapshot)
	}
	_, restored := m.data(restoreRequest("pvc-2", 0, "snapshot-1"))
	holds(t, filepath.Join(restored, "file"), "then")
}

func TestReadyButEmpty(t *testing.T) {
	m := start(t)
	volume, path := m.data(volumeRequest("pvc-1", 16*MiB))
	write(t, filepath.Join(path, "file"), "lost")
	snapshot := m.snapshot("snapshot-1", volume.GetVolumeId(), class{"content": "empty"})
	if !snapshot.GetReadyToUse() || snapshot.GetSizeBytes() != 16*MiB {
		t.Fatal(snapshot)
	}
	_, restored := m.data(restoreRequest("pvc-2", 0, "snapshot-1"))
	left, err := os.ReadDir(restored)
	ok(t, err)
	if len(left) != 0 {
		t.Fatal(left)
	}
	write(t, filepath.Join(restored, "file"), "new")
	ok(t, m.delete("snapshot-1"))
}

func TestFailForGood(t *testing.T) {
	for value, code := range map[string]codes.Code{
		"exhausted":   codes.ResourceExhausted,
		"internal":    codes.Internal,
		"unavailable": codes.Unavailable,
	} {
		t.Run(value, func(t *testing.T) {
			m := start(t)
			volume := m.volume(volumeRequest("pvc-1", 16*MiB)).GetVolumeId()
			for range 5 {
				_, err := m.ask("snapshot-1", volume, class{"fail": value})
				refused(t, err, code, "asks for this failure")
			}
			if left, err := os.ReadDir(filepath.Join(m.options.Data, "snapshots")); err != nil || len(left) > 0 {
				t.Fatal(left, err)
			}
			// A patched class lifts it.
			if snapshot := m.snapshot("snapshot-1", volume, nil); !snapshot.GetReadyToUse() {
				t.Fatal(snapshot)
			}
		})
	}
}

func TestFailSomeTimes(t *testing.T) {
	m := start(t)
	volume, path := m.data(volumeRequest("pvc-1", 16*MiB))
	twice := class{"fail": "unavailable", "failTimes": "2"}
	for _, name := range []string{"snapshot-1", "snapshot-2"} { // each is counted by itself
		for range 2 {
			write(t, filepath.Join(path, "file"), "asked")
			_, err := m.ask(name, volume.GetVolumeId(), twice)
			refused(t, err, codes.Unavailable, "asks for this failure")
		}
		write(t, filepath.Join(path, "file"), name)
		m.snapshot(name, volume.GetVolumeId(), twice)
		m.snapshot(name, volume.GetVolumeId(), twice)
		_, restored := m.data(restoreRequest("pvc-of-"+name, 0, name))
		holds(t, filepath.Join(restored, "file"), name)
		// And again for another snapshot of the same name.
		ok(t, m.delete(name))
		_, err := m.ask(name, volume.GetVolumeId(), twice)
		refused(t, err, codes.Unavailable, "the 1.")
	}
}

func TestRefuseDeletion(t *testing.T) {
	m := start(t)
	volume := m.volume(volumeRequest("pvc-1", 16*MiB)).GetVolumeId()
	for name, lift := range map[string]func() error{
		"by-class": func() error {
			m.snapshot("by-class", volume, class{"refuseDeletion": "false"})
			return m.delete("by-class")
		},
		"by-secret": func() error {
			_, err := m.DeleteSnapshot(t.Context(), &csi.DeleteSnapshotRequest{
				SnapshotId: "by-secret", Secrets: map[string]string{"refuseDeletion": "false"},
			})
			return err
		},
	} {
		m.snapshot(name, volume, class{"refuseDeletion": "true"})
		for range 2 {
			refused(t, m.delete(name), codes.FailedPrecondition, "refused")
		}
		if !m.listedReady(name) {
			t.Fatal("it is no longer ready")
		}
		ok(t, lift())
	}
}

// A misspelt fault that is ignored is a test that passes for nothing.
func TestAnUnknownParameterIsRefused(t *testing.T) {
	m := start(t)
	volume := m.volume(volumeRequest("pvc-1", 16*MiB)).GetVolumeId()
	for words, parameters := range map[string]class{
		"is not one of content, fail, failTimes, ready, readyAfter, refuseDeletion": {"readyafter": "1s"},
		"readyAfter":         {"readyAfter": "20"},
		"is negative":        {"readyAfter": "-1s"},
		"one of never":       {"ready": "false"},
		"one of empty":       {"content": "none"},
		"unavailable":        {"fail": "true"},
		"above zero":         {"fail": "internal", "failTimes": "0"},
		"without fail":       {"failTimes": "2"},
		"one of false, true": {"refuseDeletion": "yes"},
	} {
		_, err := m.ask("snapshot-1", volume, parameters)
		refused(t, err, codes.InvalidArgument, words)
	}
	m.snapshot("snapshot-1", volume, class{"csi.storage.k8s.io/volumesnapshot/name": "anything"})
}
