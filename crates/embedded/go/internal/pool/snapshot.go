package pool

import (
	"errors"
	"fmt"
	"maps"
	"time"
)

// A Snapshot is what a volume was at one instant.
type Snapshot struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Volume string `json:"volume"`
	// Capacity is that of the volume then: a restore needs as much.
	Capacity int64     `json:"capacity"`
	Created  time.Time `json:"created"`
	// Parameters are those of the last request for it, for the requests that
	// carry none.
	Parameters map[string]string `json:"parameters,omitempty"`
}

// A SnapshotRequest asks for a snapshot of a volume, or for an empty one of
// the same size.
type SnapshotRequest struct {
	Name       string
	Volume     string
	Empty      bool
	Parameters map[string]string
	Now        time.Time
}

// CreateSnapshot takes the snapshot, or returns the one that this name has
// already, whatever its volume is by now. Its parameters are then the new ones.
func (p *Pool) CreateSnapshot(request SnapshotRequest) (Snapshot, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	path, err := p.path(snapshots, ID(request.Name))
	if err != nil {
		return Snapshot{}, err
	}
	existing, err := p.snapshot(ID(request.Name))
	if errors.Is(err, ErrNotFound) {
		return p.takeSnapshot(path, request)
	}
	if err != nil {
		return Snapshot{}, err
	}
	if existing.Volume != request.Volume {
		return Snapshot{}, fmt.Errorf("snapshot %s of volume %s: %w", existing.ID, existing.Volume, ErrConflict)
	}
	if maps.Equal(existing.Parameters, request.Parameters) {
		return existing, nil
	}
	existing.Parameters = request.Parameters
	return existing, writeRecord(path, existing)
}

func (p *Pool) takeSnapshot(path string, request SnapshotRequest) (Snapshot, error) {
	source, err := p.volume(request.Volume)
	if err != nil {
		return Snapshot{}, err
	}
	from, err := p.path(volumes, source.ID)
	if err != nil {
		return Snapshot{}, err
	}
	if err := deleteSubvolume(path); err != nil {
		return Snapshot{}, err
	}
	if request.Empty {
		err = emptyFrozenSubvolume(path)
	} else {
		err = freezeSubvolume(from, path)
	}
	if err != nil {
		return Snapshot{}, err
	}
	snapshot := Snapshot{
		ID:         ID(request.Name),
		Name:       request.Name,
		Volume:     source.ID,
		Capacity:   source.Capacity,
		Created:    request.Now.UTC(),
		Parameters: request.Parameters,
	}
	if err := writeRecord(path, snapshot); err != nil {
		return Snapshot{}, err
	}
	return snapshot, p.forgetFailures(snapshot.ID)
}

// Snapshot returns the snapshot of this identifier.
func (p *Pool) Snapshot(id string) (Snapshot, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.snapshot(id)
}

func (p *Pool) snapshot(id string) (Snapshot, error) {
	var snapshot Snapshot
	path, err := p.path(snapshots, id)
	if err == nil {
		err = readRecord(path, &snapshot)
	}
	return snapshot, err
}

// Snapshots returns all of them, in the order of their identifiers.
func (p *Pool) Snapshots() ([]Snapshot, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids, err := recorded(p.root + "/" + snapshots)
	if err != nil {
		return nil, err
	}
	all := make([]Snapshot, 0, len(ids))
	for _, id := range ids {
		snapshot, err := p.snapshot(id)
		if err != nil {
			return nil, err
		}
		all = append(all, snapshot)
	}
	return all, nil
}

// DeleteSnapshot removes the snapshot; volumes restored from it stay what they
// are. One that does not exist is deleted.
func (p *Pool) DeleteSnapshot(id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	path, err := p.path(snapshots, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := removeRecord(path); err != nil {
		return err
	}
	if err := p.forgetFailures(id); err != nil {
		return err
	}
	return deleteSubvolume(path)
}

// CountFailure adds one to the number of times that taking the snapshot of
// this name was made to fail, and returns the sum. Taking it begins anew.
func (p *Pool) CountFailure(name string) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	path, err := p.path(failures, ID(name))
	if err != nil {
		return 0, err
	}
	var count int
	if err := readRecord(path, &count); err != nil && !errors.Is(err, ErrNotFound) {
		return 0, err
	}
	count++
	return count, writeRecord(path, count)
}

func (p *Pool) forgetFailures(id string) error {
	path, err := p.path(failures, id)
	if err != nil {
		return err
	}
	return removeRecord(path)
}
