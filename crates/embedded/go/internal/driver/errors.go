package driver

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"longrun/embedded/internal/pool"
)

// codeOf is the table from what a pool refuses to what CSI calls it.
var codeOf = []struct {
	cause error
	code  codes.Code
}{
	{pool.ErrNotFound, codes.NotFound},
	{pool.ErrConflict, codes.AlreadyExists},
	{pool.ErrOutOfRange, codes.OutOfRange},
	{pool.ErrInUse, codes.FailedPrecondition},
}

// failed turns an error into an answer. What is not in the table is a failure
// of the machine, and its text is all that anybody will see of it.
func failed(err error) error {
	for _, row := range codeOf {
		if errors.Is(err, row.cause) {
			return status.Error(row.code, err.Error())
		}
	}
	return status.Error(codes.Internal, err.Error())
}

func invalid(format string, arguments ...any) error {
	return status.Errorf(codes.InvalidArgument, format, arguments...)
}

// given refuses a request in which a required field, named in pairs with its
// value, is empty.
func given(pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			return invalid("%s is missing", pairs[i])
		}
	}
	return nil
}
