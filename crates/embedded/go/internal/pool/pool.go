// Package pool keeps volumes and snapshots as subvolumes of one btrfs file
// system, because there a snapshot is atomic and a restore shares its blocks.
//
// A volume or snapshot exists exactly as long as its record, a small JSON file
// beside its subvolume: the record is written last and removed first, so a
// subvolume without one was never promised to anybody and may be replaced.
package pool

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"golang.org/x/sys/unix"
)

// What can be wrong with a request. Everything else is a failure of the
// machine.
var (
	ErrNotFound   = errors.New("does not exist")
	ErrConflict   = errors.New("exists with different properties")
	ErrOutOfRange = errors.New("size out of range")
	ErrInUse      = errors.New("is mounted")
)

const (
	volumes   = "volumes"
	snapshots = "snapshots"
	failures  = "failures"
)

// A Pool serves one mounted btrfs file system. Its methods may be called
// concurrently; they run one at a time, which takes milliseconds each.
type Pool struct {
	root string
	mu   sync.Mutex
}

// Open prepares the btrfs file system mounted at root, and everything that an
// earlier Pool kept there is there again.
func Open(root string) (*Pool, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(root, &stat); err != nil {
		return nil, fmt.Errorf("%s: %w", root, err)
	}
	if stat.Type != unix.BTRFS_SUPER_MAGIC {
		return nil, fmt.Errorf("%s is not on a btrfs file system", root)
	}
	if err := enableQuota(root); err != nil {
		return nil, err
	}
	for _, name := range []string{volumes, snapshots, failures} {
		directory := filepath.Join(root, name)
		if err := os.MkdirAll(directory, 0o700); err != nil {
			return nil, err
		}
		if err := discardUnfinished(directory); err != nil {
			return nil, err
		}
	}
	return &Pool{root: root}, nil
}

// Capacity returns the size of the whole file system and what is free of it,
// in bytes. Volumes are thin: their sizes may add up to more.
func (p *Pool) Capacity() (total, free int64, err error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(p.root, &stat); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", p.root, err)
	}
	return int64(stat.Blocks) * stat.Bsize, int64(stat.Bavail) * stat.Bsize, nil
}

var plain = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,127}$`)

// ID returns the identifier under which an object of this name is kept: the
// name itself where it can be a file's name, as all that the sidecars choose
// can. A hash contains an underscore, which a plain name cannot.
func ID(name string) string {
	if plain.MatchString(name) {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return "hashed_" + hex.EncodeToString(sum[:16])
}

var identifier = regexp.MustCompile(`^(hashed_[0-9a-f]{32}|[A-Za-z0-9][A-Za-z0-9-]{0,127})$`)

// path returns where the object is kept; no identifier that came from outside
// reaches the file system in another way.
func (p *Pool) path(kind, id string) (string, error) {
	if !identifier.MatchString(id) {
		return "", fmt.Errorf("%s/%s: %w", kind, id, ErrNotFound)
	}
	return filepath.Join(p.root, kind, id), nil
}
