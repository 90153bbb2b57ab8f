package pool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// enableQuota turns accounting on where it is off, and has it counted again
// where the kernel says that it lost count: limits would be wrong until then.
func enableQuota(root string) error {
	groups, err := quotaGroups(root)
	if err != nil {
		return err
	}
	enabled, err := readNumber(filepath.Join(groups, "enabled"))
	if errors.Is(err, fs.ErrNotExist) || (err == nil && enabled == 0) {
		return btrfs("quota", "enable", root)
	}
	if err != nil {
		return err
	}
	inconsistent, err := readNumber(filepath.Join(groups, "inconsistent"))
	if err != nil || inconsistent == 0 {
		return err
	}
	return btrfs("quota", "rescan", "-w", root)
}

// quota returns the bytes that a subvolume refers to, as of the last commit of
// the file system (at most 30 s ago), and its limit.
func quota(path string) (used, limit int64, err error) {
	groups, err := quotaGroups(path)
	if err != nil {
		return 0, 0, err
	}
	id, err := subvolumeID(path)
	if err != nil {
		return 0, 0, err
	}
	group := filepath.Join(groups, fmt.Sprintf("0_%d", id))
	if used, err = readNumber(filepath.Join(group, "referenced")); err != nil {
		return 0, 0, err
	}
	limit, err = readNumber(filepath.Join(group, "max_referenced"))
	return used, limit, err
}

func readNumber(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}

// Two calls of linux/btrfs.h that x/sys/unix does not wrap.
const (
	ioctlFilesystemInfo = 0x8400941f // BTRFS_IOC_FS_INFO, 1024 bytes
	ioctlInodeLookup    = 0xd0009412 // BTRFS_IOC_INO_LOOKUP, 4096 bytes
	subvolumeRoot       = 256        // BTRFS_FIRST_FREE_OBJECTID
)

// quotaGroups returns where the kernel shows the groups of path's file system.
func quotaGroups(path string) (string, error) {
	var info [1024]byte
	if err := ioctl(path, ioctlFilesystemInfo, unsafe.Pointer(&info)); err != nil {
		return "", err
	}
	id := info[16:32] // after max_id and num_devices
	return fmt.Sprintf("/sys/fs/btrfs/%x-%x-%x-%x-%x/qgroups", id[:4], id[4:6], id[6:8], id[8:10], id[10:]), nil
}

func subvolumeID(path string) (uint64, error) {
	var lookup [4096]byte // tree in and out, object, name
	binary.NativeEndian.PutUint64(lookup[8:], subvolumeRoot)
	if err := ioctl(path, ioctlInodeLookup, unsafe.Pointer(&lookup)); err != nil {
		return 0, err
	}
	return binary.NativeEndian.Uint64(lookup[:]), nil
}

func ioctl(path string, request uintptr, argument unsafe.Pointer) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, file.Fd(), request, uintptr(argument)); errno != 0 {
		return &fs.PathError{Op: "ioctl", Path: path, Err: errno}
	}
	return nil
}
