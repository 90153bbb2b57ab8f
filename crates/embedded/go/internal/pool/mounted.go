package pool

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"k8s.io/mount-utils"
)

// mountedAt returns one place where the subvolume or a directory in it is
// mounted, or nothing. Each subvolume has a device number of its own, which is
// how such a mount is told from one of its neighbours.
func mountedAt(path string) (string, error) {
	device, err := deviceOf(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	mounts, err := mount.ParseMountInfo("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	for _, entry := range mounts {
		if entry.FsType != "btrfs" {
			continue
		}
		// What cannot be looked at any more is not in anybody's way.
		if found, err := deviceOf(entry.MountPoint); err == nil && found == device {
			return entry.MountPoint, nil
		}
	}
	return "", nil
}

func deviceOf(path string) (uint64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, errors.New("a file has no device number: not Linux")
	}
	return stat.Dev, nil
}
