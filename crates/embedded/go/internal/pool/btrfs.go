package pool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// slowest is far beyond what any of these commands takes; without it a dead
// disk would keep every request waiting for good.
const slowest = time.Minute

// btrfs runs the tool of that name to its end, whether or not the request that
// asked for it is still there: none of its commands is undone half-way.
func btrfs(arguments ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), slowest)
	defer cancel()
	command := exec.CommandContext(ctx, "btrfs", arguments...)
	var complaint bytes.Buffer
	command.Stderr = &complaint
	if err := command.Run(); err != nil {
		return fmt.Errorf("btrfs %s: %w: %s", strings.Join(arguments, " "), err, bytes.TrimSpace(complaint.Bytes()))
	}
	return nil
}

func createSubvolume(path string) error {
	if err := btrfs("subvolume", "create", path); err != nil {
		return err
	}
	// As a new ext4 file system is, past whatever umask the driver has: a pod
	// that does not run as root needs an fsGroup here as it does elsewhere.
	return os.Chmod(path, 0o755)
}

// cloneSubvolume makes to what from is at one instant, written data included
// whether or not it was synced.
func cloneSubvolume(from, to string) error {
	return btrfs("subvolume", "snapshot", from, to)
}

// freezeSubvolume is cloneSubvolume with a result that nobody can write to.
func freezeSubvolume(from, to string) error {
	return btrfs("subvolume", "snapshot", "-r", from, to)
}

func emptyFrozenSubvolume(path string) error {
	if err := createSubvolume(path); err != nil {
		return err
	}
	return btrfs("property", "set", "-t", "subvol", path, "ro", "true")
}

// deleteSubvolume waits until the deletion would survive a crash. The kernel
// frees the blocks, and drops the quota group, some time after that.
func deleteSubvolume(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return btrfs("subvolume", "delete", "--commit-after", path)
}

// limitSubvolume makes writes beyond so many bytes fail with EDQUOT. Shared
// blocks count in full for each subvolume, as they would on separate disks.
func limitSubvolume(path string, bytes int64) error {
	return btrfs("qgroup", "limit", strconv.FormatInt(bytes, 10), path)
}
