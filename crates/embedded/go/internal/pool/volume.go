package pool

import (
	"errors"
	"fmt"
)

// defaultCapacity is the size of a volume of which only the name is asked.
const defaultCapacity = 1 << 30

// A Volume is a writable subvolume with a limit.
type Volume struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Capacity is the limit in bytes, of data and what describes it.
	Capacity int64 `json:"capacity"`
	// Snapshot is the identifier of the one it began as, if any.
	Snapshot string `json:"snapshot,omitempty"`
}

// A VolumeRequest asks for a volume of at least Required and, unless that is
// zero, at most Limit bytes.
type VolumeRequest struct {
	Name            string
	Required, Limit int64
	Snapshot        string
}

// CreateVolume makes the volume, or returns the one that an equal request made.
func (p *Pool) CreateVolume(request VolumeRequest) (Volume, error) {
	p.mu.Lock()
	defer p.mu.Unlock()

	id := ID(request.Name)
	switch existing, err := p.volume(id); {
	case err == nil && existing.answers(request):
		return existing, nil
	case err == nil:
		return Volume{}, fmt.Errorf("volume %s: %w", id, ErrConflict)
	case !errors.Is(err, ErrNotFound):
		return Volume{}, err
	}
	capacity, err := p.capacityFor(request)
	if err != nil {
		return Volume{}, err
	}
	volume := Volume{ID: id, Name: request.Name, Capacity: capacity, Snapshot: request.Snapshot}
	return volume, p.makeVolume(volume)
}

func (p *Pool) makeVolume(volume Volume) error {
	path, err := p.path(volumes, volume.ID)
	if err != nil {
		return err
	}
	if err := deleteSubvolume(path); err != nil {
		return err
	}
	if volume.Snapshot == "" {
		err = createSubvolume(path)
	} else {
		var from string
		if from, err = p.path(snapshots, volume.Snapshot); err == nil {
			err = cloneSubvolume(from, path)
		}
	}
	if err != nil {
		return err
	}
	if err := limitSubvolume(path, volume.Capacity); err != nil {
		return err
	}
	return writeRecord(path, volume)
}

func (v Volume) answers(request VolumeRequest) bool {
	return v.Snapshot == request.Snapshot &&
		v.Capacity >= request.Required &&
		(request.Limit == 0 || v.Capacity <= request.Limit)
}

// capacityFor decides the size of a new volume: what is required, else that of
// the snapshot, else the default.
func (p *Pool) capacityFor(request VolumeRequest) (int64, error) {
	least := int64(0)
	if request.Snapshot != "" {
		snapshot, err := p.snapshot(request.Snapshot)
		if err != nil {
			return 0, err
		}
		least = snapshot.Capacity
	}
	capacity := request.Required
	if capacity == 0 {
		capacity = least
	}
	if capacity == 0 {
		capacity = defaultCapacity
		if request.Limit != 0 {
			capacity = min(capacity, request.Limit)
		}
	}
	if capacity < least {
		return 0, fmt.Errorf("%d bytes are fewer than the %d of the snapshot's source: %w", capacity, least, ErrOutOfRange)
	}
	if request.Limit != 0 && capacity > request.Limit {
		return 0, fmt.Errorf("%d bytes are more than the limit of %d: %w", capacity, request.Limit, ErrOutOfRange)
	}
	return capacity, p.fits(capacity)
}

// fits refuses what the file system could not hold even if it were empty.
func (p *Pool) fits(capacity int64) error {
	total, _, err := p.Capacity()
	if err == nil && capacity > total {
		err = fmt.Errorf("%d bytes are more than the %d of the whole pool: %w", capacity, total, ErrOutOfRange)
	}
	return err
}

// Volume returns the volume of this identifier.
func (p *Pool) Volume(id string) (Volume, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.volume(id)
}

func (p *Pool) volume(id string) (Volume, error) {
	var volume Volume
	path, err := p.path(volumes, id)
	if err == nil {
		err = readRecord(path, &volume)
	}
	return volume, err
}

// VolumePath returns the directory that a volume's data is in.
func (p *Pool) VolumePath(id string) (string, error) {
	if _, err := p.Volume(id); err != nil {
		return "", err
	}
	return p.path(volumes, id)
}

// ExpandVolume raises the volume's limit, at once and under running pods, to
// at least so many bytes. Nothing is ever made smaller.
func (p *Pool) ExpandVolume(id string, required, limit int64) (Volume, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	volume, err := p.volume(id)
	if err != nil {
		return Volume{}, err
	}
	if limit != 0 && max(required, volume.Capacity) > limit {
		return Volume{}, fmt.Errorf("volume %s has %d bytes and %d are asked, the limit is %d: %w",
			id, volume.Capacity, required, limit, ErrOutOfRange)
	}
	if required <= volume.Capacity {
		return volume, nil
	}
	if err := p.fits(required); err != nil {
		return Volume{}, err
	}
	path, err := p.path(volumes, id)
	if err != nil {
		return Volume{}, err
	}
	volume.Capacity = required
	if err := limitSubvolume(path, required); err != nil {
		return Volume{}, err
	}
	return volume, writeRecord(path, volume)
}

// DeleteVolume removes the volume; snapshots of it stay what they are.
// One that does not exist is deleted.
func (p *Pool) DeleteVolume(id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	path, err := p.path(volumes, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if point, err := mountedAt(path); err != nil || point != "" {
		if err == nil {
			err = fmt.Errorf("volume %s: %w at %s", id, ErrInUse, point)
		}
		return err
	}
	if err := removeRecord(path); err != nil {
		return err
	}
	return deleteSubvolume(path)
}

// Usage returns the bytes that the volume holds, how many more it can take,
// and its capacity.
func (p *Pool) Usage(id string) (used, available, capacity int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	path, err := p.path(volumes, id)
	if err == nil {
		err = readRecord(path, new(Volume))
	}
	if err != nil {
		return 0, 0, 0, err
	}
	if used, capacity, err = quota(path); err != nil {
		return 0, 0, 0, err
	}
	_, free, err := p.Capacity()
	return used, max(0, min(capacity-used, free)), capacity, err
}
