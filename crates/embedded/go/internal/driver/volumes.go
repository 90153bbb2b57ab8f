package driver

import (
	"context"
	"strings"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"longrun/embedded/internal/pool"
)

// A controller serves the requests that a sidecar makes once for the cluster.
type controller struct {
	csi.UnimplementedControllerServer
	pool *pool.Pool
	now  func() time.Time
}

var controllerCapabilities = []csi.ControllerServiceCapability_RPC_Type{
	csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
	csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
	csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
	csi.ControllerServiceCapability_RPC_GET_CAPACITY,
	csi.ControllerServiceCapability_RPC_EXPAND_VOLUME,
}

func (s *controller) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	response := &csi.ControllerGetCapabilitiesResponse{}
	for _, capability := range controllerCapabilities {
		response.Capabilities = append(response.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: capability}},
		})
	}
	return response, nil
}

func (s *controller) CreateVolume(_ context.Context, request *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	if err := given("name", request.GetName()); err != nil {
		return nil, err
	}
	if err := usable(request.GetVolumeCapabilities()); err != nil {
		return nil, err
	}
	for key := range request.GetParameters() {
		if !strings.HasPrefix(key, reservedKeys) {
			return nil, invalid("a StorageClass of this driver has no parameter %q", key)
		}
	}
	required, limit, err := sizes(request.GetCapacityRange())
	if err != nil {
		return nil, err
	}
	snapshot, err := s.origin(request.GetVolumeContentSource())
	if err != nil {
		return nil, err
	}
	volume, err := s.pool.CreateVolume(pool.VolumeRequest{
		Name: request.GetName(), Required: required, Limit: limit, Snapshot: snapshot,
	})
	if err != nil {
		return nil, failed(err)
	}
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{
		VolumeId:      volume.ID,
		CapacityBytes: volume.Capacity,
		// The provisioner deletes a restored volume whose answer lacks this.
		ContentSource: request.GetVolumeContentSource(),
	}}, nil
}

// origin returns the identifier of the snapshot that a volume begins as.
func (s *controller) origin(source *csi.VolumeContentSource) (string, error) {
	if source == nil {
		return "", nil
	}
	if source.GetSnapshot() == nil {
		return "", invalid("a volume can begin empty or as a snapshot, not as a volume")
	}
	id := source.GetSnapshot().GetSnapshotId()
	if err := given("snapshot id", id); err != nil {
		return "", err
	}
	snapshot, err := s.pool.Snapshot(id)
	if err != nil {
		return "", failed(err)
	}
	if parsed, err := parseFaults(snapshot.Parameters); err == nil && !parsed.ready(snapshot.Created, s.now()) {
		return "", status.Errorf(codes.Unavailable, "snapshot %s is not ready to use", id)
	}
	return id, nil
}

func (s *controller) DeleteVolume(_ context.Context, request *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	if err := given("volume id", request.GetVolumeId()); err != nil {
		return nil, err
	}
	if err := s.pool.DeleteVolume(request.GetVolumeId()); err != nil {
		return nil, failed(err)
	}
	return &csi.DeleteVolumeResponse{}, nil
}

func (s *controller) ControllerExpandVolume(_ context.Context, request *csi.ControllerExpandVolumeRequest) (*csi.ControllerExpandVolumeResponse, error) {
	if err := given("volume id", request.GetVolumeId()); err != nil {
		return nil, err
	}
	if request.GetCapacityRange() == nil {
		return nil, invalid("capacity range is missing")
	}
	required, limit, err := sizes(request.GetCapacityRange())
	if err != nil {
		return nil, err
	}
	volume, err := s.pool.ExpandVolume(request.GetVolumeId(), required, limit)
	if err != nil {
		return nil, failed(err)
	}
	// A limit is all that changes: no file system has to grow on the node.
	return &csi.ControllerExpandVolumeResponse{CapacityBytes: volume.Capacity, NodeExpansionRequired: false}, nil
}

func (s *controller) ValidateVolumeCapabilities(_ context.Context, request *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if err := given("volume id", request.GetVolumeId()); err != nil {
		return nil, err
	}
	if len(request.GetVolumeCapabilities()) == 0 {
		return nil, invalid("volume capabilities are missing")
	}
	if _, err := s.pool.Volume(request.GetVolumeId()); err != nil {
		return nil, failed(err)
	}
	if err := usable(request.GetVolumeCapabilities()); err != nil {
		return &csi.ValidateVolumeCapabilitiesResponse{Message: status.Convert(err).Message()}, nil
	}
	return &csi.ValidateVolumeCapabilitiesResponse{
		Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{
			VolumeContext:      request.GetVolumeContext(),
			VolumeCapabilities: request.GetVolumeCapabilities(),
			Parameters:         request.GetParameters(),
		},
	}, nil
}

func (s *controller) GetCapacity(_ context.Context, request *csi.GetCapacityRequest) (*csi.GetCapacityResponse, error) {
	total, free, err := s.pool.Capacity()
	if err != nil {
		return nil, failed(err)
	}
	if len(request.GetVolumeCapabilities()) > 0 && usable(request.GetVolumeCapabilities()) != nil {
		return &csi.GetCapacityResponse{}, nil
	}
	return &csi.GetCapacityResponse{AvailableCapacity: free, MaximumVolumeSize: wrapperspb.Int64(total)}, nil
}

func sizes(bytes *csi.CapacityRange) (required, limit int64, err error) {
	required, limit = bytes.GetRequiredBytes(), bytes.GetLimitBytes()
	if required < 0 || limit < 0 {
		return 0, 0, invalid("a size is negative")
	}
	if limit != 0 && required > limit {
		return 0, 0, invalid("%d bytes are required, more than the limit of %d", required, limit)
	}
	return required, limit, nil
}

// usable refuses what a disk of the cloud would refuse too, so that nothing
// works here that fails there: sharing, raw blocks are not offered.
func usable(capabilities []*csi.VolumeCapability) error {
	if len(capabilities) == 0 {
		return invalid("volume capabilities are missing")
	}
	for _, capability := range capabilities {
		switch mode := capability.GetAccessMode().GetMode(); mode {
		case csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER,
			csi.VolumeCapability_AccessMode_SINGLE_NODE_READER_ONLY:
		default:
			return invalid("access mode %s is not supported: use ReadWriteOnce", mode)
		}
		if capability.GetMount() == nil {
			return invalid("only volumeMode Filesystem is supported")
		}
		if fs := capability.GetMount().GetFsType(); fs != "" && fs != "btrfs" {
			return invalid("file system %q is not supported: leave it out", fs)
		}
		if flags := capability.GetMount().GetMountFlags(); len(flags) > 0 {
			return invalid("mount options are not supported: %s", strings.Join(flags, ","))
		}
	}
	return nil
}
