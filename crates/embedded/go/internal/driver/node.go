package driver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"longrun/embedded/internal/pool"
)

// A node serves the kubelet's requests: put a volume where a pod can see it.
type node struct {
	csi.UnimplementedNodeServer
	pool *pool.Pool
	name string
}

func (s *node) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: s.name}, nil
}

func (s *node) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	return &csi.NodeGetCapabilitiesResponse{Capabilities: []*csi.NodeServiceCapability{{
		Type: &csi.NodeServiceCapability_Rpc{Rpc: &csi.NodeServiceCapability_RPC{
			Type: csi.NodeServiceCapability_RPC_GET_VOLUME_STATS,
		}},
	}}}, nil
}

func (s *node) NodePublishVolume(_ context.Context, request *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	if err := given("volume id", request.GetVolumeId(), "target path", request.GetTargetPath()); err != nil {
		return nil, err
	}
	if request.GetVolumeCapability() == nil {
		return nil, invalid("volume capability is missing")
	}
	if err := usable([]*csi.VolumeCapability{request.GetVolumeCapability()}); err != nil {
		return nil, err
	}
	source, err := s.pool.VolumePath(request.GetVolumeId())
	if err != nil {
		return nil, failed(err)
	}
	target := request.GetTargetPath()
	readOnly := request.GetReadonly() ||
		request.GetVolumeCapability().GetAccessMode().GetMode() == csi.VolumeCapability_AccessMode_SINGLE_NODE_READER_ONLY
	if err := os.MkdirAll(target, 0o750); err != nil {
		return nil, failed(err)
	}
	there, err := sameDirectory(source, target)
	if err != nil {
		return nil, failed(err)
	}
	if !there {
		if err := publish(source, target, readOnly); err != nil {
			return nil, failed(err)
		}
		return &csi.NodePublishVolumeResponse{}, nil
	}
	if is, err := isReadOnly(target); err != nil || is != readOnly {
		return nil, status.Errorf(codes.AlreadyExists, "%s is published already, with read-only %t", target, is)
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

// publish mounts source at target in one step: a bind mount that is made
// read-only by a second call is writable in between, and stays so after a
// crash there.
func publish(source, target string, readOnly bool) error {
	tree, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("open_tree %s: %w", source, err)
	}
	defer unix.Close(tree)
	if readOnly {
		attributes := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
		if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attributes); err != nil {
			return fmt.Errorf("mount_setattr %s: %w", source, err)
		}
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("move_mount %s: %w", target, err)
	}
	return nil
}

// sameDirectory says whether the two are one: a target is published exactly
// when it is the volume's directory.
func sameDirectory(one, other string) (bool, error) {
	first, err := os.Stat(one)
	if err != nil {
		return false, err
	}
	second, err := os.Stat(other)
	if err != nil {
		return false, err
	}
	return os.SameFile(first, second), nil
}

func isReadOnly(path string) (bool, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return false, err
	}
	return stat.Flags&unix.ST_RDONLY != 0, nil
}

func (s *node) NodeUnpublishVolume(_ context.Context, request *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	if err := given("volume id", request.GetVolumeId(), "target path", request.GetTargetPath()); err != nil {
		return nil, err
	}
	target := request.GetTargetPath()
	err := unmountAll(target)
	if err == nil {
		// Never with what is in it: should the volume still be there after
		// all, a directory that is not empty keeps everything.
		err = os.Remove(target)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, failed(err)
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

// unmountAll takes every mount off target: one may lie on top of another.
func unmountAll(target string) error {
	for {
		switch err := unix.Unmount(target, unix.UMOUNT_NOFOLLOW); {
		case errors.Is(err, unix.EINVAL): // not, or no longer, a mount
			return nil
		case err != nil:
			return fmt.Errorf("umount %s: %w", target, err)
		}
	}
}

func (s *node) NodeGetVolumeStats(_ context.Context, request *csi.NodeGetVolumeStatsRequest) (*csi.NodeGetVolumeStatsResponse, error) {
	if err := given("volume id", request.GetVolumeId(), "volume path", request.GetVolumePath()); err != nil {
		return nil, err
	}
	source, err := s.pool.VolumePath(request.GetVolumeId())
	if err != nil {
		return nil, failed(err)
	}
	if there, err := sameDirectory(source, request.GetVolumePath()); err != nil || !there {
		return nil, status.Errorf(codes.NotFound, "volume %s is not at %s", request.GetVolumeId(), request.GetVolumePath())
	}
	used, available, capacity, err := s.pool.Usage(request.GetVolumeId())
	if err != nil {
		return nil, failed(err)
	}
	return &csi.NodeGetVolumeStatsResponse{Usage: []*csi.VolumeUsage{{
		Unit: csi.VolumeUsage_BYTES, Total: capacity, Used: used, Available: available,
	}}}, nil
}
