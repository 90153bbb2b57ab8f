package driver

import (
	"context"
	"errors"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"longrun/embedded/internal/pool"
)

// CreateSnapshot is also how the snapshotter asks whether a snapshot is ready
// by now: the same request again, with the class's parameters of that moment.
func (s *controller) CreateSnapshot(_ context.Context, request *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	if err := given("name", request.GetName(), "source volume id", request.GetSourceVolumeId()); err != nil {
		return nil, err
	}
	asked, err := parseFaults(request.GetParameters())
	if err != nil {
		return nil, invalid("%v", err)
	}
	if err := s.failOnPurpose(request, asked); err != nil {
		return nil, err
	}
	snapshot, err := s.pool.CreateSnapshot(pool.SnapshotRequest{
		Name:       request.GetName(),
		Volume:     request.GetSourceVolumeId(),
		Empty:      asked.empty,
		Parameters: request.GetParameters(),
		Now:        s.now(),
	})
	if err != nil {
		return nil, failed(err)
	}
	return &csi.CreateSnapshotResponse{Snapshot: s.describe(snapshot)}, nil
}

// failOnPurpose ends requests for a snapshot that was not taken yet. One that
// was is not made to fail by a class that is patched later.
func (s *controller) failOnPurpose(request *csi.CreateSnapshotRequest, asked faults) error {
	if asked.fail == codes.OK {
		return nil
	}
	_, err := s.pool.Snapshot(pool.ID(request.GetName()))
	if !errors.Is(err, pool.ErrNotFound) {
		return nil
	}
	count, err := s.pool.CountFailure(request.GetName())
	if err != nil {
		return failed(err)
	}
	if !asked.failing(count) {
		return nil
	}
	return status.Errorf(asked.fail, "the snapshot class asks for this failure, the %d. of this snapshot", count)
}

func (s *controller) DeleteSnapshot(_ context.Context, request *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	if err := given("snapshot id", request.GetSnapshotId()); err != nil {
		return nil, err
	}
	snapshot, err := s.pool.Snapshot(request.GetSnapshotId())
	if err != nil && !errors.Is(err, pool.ErrNotFound) {
		return nil, failed(err)
	}
	if s.refuses(snapshot, request.GetSecrets()) {
		return nil, status.Error(codes.FailedPrecondition, "the snapshot class asks that deletion be refused")
	}
	if err := s.pool.DeleteSnapshot(request.GetSnapshotId()); err != nil {
		return nil, failed(err)
	}
	return &csi.DeleteSnapshotResponse{}, nil
}

// refuses decides by the class's parameters as they were when the snapshot was
// asked for last, because a deletion carries none. Its secret it does carry,
// and that is read anew each time: it has the last word.
func (s *controller) refuses(snapshot pool.Snapshot, secrets map[string]string) bool {
	const key = "refuseDeletion"
	if value, ok := secrets[key]; ok {
		return value == "true"
	}
	return snapshot.Parameters[key] == "true"
}

func (s *controller) ListSnapshots(_ context.Context, request *csi.ListSnapshotsRequest) (*csi.ListSnapshotsResponse, error) {
	if request.GetMaxEntries() < 0 {
		return nil, invalid("max entries is negative")
	}
	all, err := s.pool.Snapshots()
	if err != nil {
		return nil, failed(err)
	}
	begin := request.GetStartingToken() == ""
	response := &csi.ListSnapshotsResponse{}
	for _, snapshot := range all {
		// A token is the identifier of the snapshot that a page begins with.
		begin = begin || snapshot.ID == request.GetStartingToken()
		if !begin || !wanted(snapshot, request) {
			continue
		}
		if most := int(request.GetMaxEntries()); most > 0 && len(response.Entries) == most {
			response.NextToken = snapshot.ID
			break
		}
		response.Entries = append(response.Entries, &csi.ListSnapshotsResponse_Entry{Snapshot: s.describe(snapshot)})
	}
	if !begin {
		return nil, status.Errorf(codes.Aborted, "no snapshot %s to go on from: list again", request.GetStartingToken())
	}
	return response, nil
}

func wanted(snapshot pool.Snapshot, request *csi.ListSnapshotsRequest) bool {
	return (request.GetSnapshotId() == "" || request.GetSnapshotId() == snapshot.ID) &&
		(request.GetSourceVolumeId() == "" || request.GetSourceVolumeId() == snapshot.Volume)
}

func (s *controller) describe(snapshot pool.Snapshot) *csi.Snapshot {
	// Parameters were parsed before they were recorded; should a later version
	// not know one, the snapshot is as good as one without faults.
	asked, _ := parseFaults(snapshot.Parameters)
	return &csi.Snapshot{
		SnapshotId:     snapshot.ID,
		SourceVolumeId: snapshot.Volume,
		SizeBytes:      snapshot.Capacity,
		CreationTime:   timestamppb.New(snapshot.Created),
		ReadyToUse:     asked.ready(snapshot.Created, s.now()),
	}
}
