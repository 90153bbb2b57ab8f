package driver

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// Faults are what a VolumeSnapshotClass asks this driver to do wrong. They are
// read from the parameters of each request, so that a patched class counts
// from the next retry on.
type faults struct {
	// never ready, or ready only so long after the snapshot was taken.
	never      bool
	readyAfter time.Duration
	// empty snapshots are ready, restore, and hold nothing.
	empty bool
	// fail is OK, or how requests end instead of taking the snapshot, and
	// failTimes how many of them do: zero is all.
	fail      codes.Code
	failTimes int
	// refuseDeletion keeps the snapshot whatever is asked.
	refuseDeletion bool
}

// The keys of the sidecars' own parameters begin with this; they say for whom
// a request is made and change nothing.
const reservedKeys = "csi.storage.k8s.io/"

type fault func(*faults, string) error

var faultKeys = map[string]fault{
	"readyAfter": func(f *faults, value string) (err error) {
		if f.readyAfter, err = time.ParseDuration(value); err == nil && f.readyAfter < 0 {
			err = fmt.Errorf("is negative")
		}
		return err
	},
	"ready":   oneOf(map[string]func(*faults){"never": func(f *faults) { f.never = true }}),
	"content": oneOf(map[string]func(*faults){"empty": func(f *faults) { f.empty = true }}),
	"fail": oneOf(map[string]func(*faults){
		"exhausted":   func(f *faults) { f.fail = codes.ResourceExhausted },
		"internal":    func(f *faults) { f.fail = codes.Internal },
		"unavailable": func(f *faults) { f.fail = codes.Unavailable },
	}),
	"failTimes": func(f *faults, value string) (err error) {
		if f.failTimes, err = strconv.Atoi(value); err != nil || f.failTimes < 1 {
			err = fmt.Errorf("is not a whole number above zero")
		}
		return err
	},
	"refuseDeletion": oneOf(map[string]func(*faults){
		"true":  func(f *faults) { f.refuseDeletion = true },
		"false": func(f *faults) { f.refuseDeletion = false },
	}),
}

func oneOf(choices map[string]func(*faults)) fault {
	return func(f *faults, value string) error {
		choose, ok := choices[value]
		if !ok {
			return fmt.Errorf("is not one of %s", strings.Join(slices.Sorted(maps.Keys(choices)), ", "))
		}
		choose(f)
		return nil
	}
}

// parseFaults refuses what it does not know: a misspelt fault that is ignored
// is a test that passes for nothing.
func parseFaults(parameters map[string]string) (faults, error) {
	var parsed faults
	for _, key := range slices.Sorted(maps.Keys(parameters)) {
		if strings.HasPrefix(key, reservedKeys) {
			continue
		}
		set, ok := faultKeys[key]
		if !ok {
			return faults{}, fmt.Errorf("snapshot parameter %q is not one of %s", key,
				strings.Join(slices.Sorted(maps.Keys(faultKeys)), ", "))
		}
		if err := set(&parsed, parameters[key]); err != nil {
			return faults{}, fmt.Errorf("snapshot parameter %s: %q %w", key, parameters[key], err)
		}
	}
	if parsed.failTimes > 0 && parsed.fail == codes.OK {
		return faults{}, fmt.Errorf("snapshot parameter failTimes does nothing without fail")
	}
	return parsed, nil
}

// ready says whether a snapshot taken at created may be used at now.
func (f faults) ready(created, now time.Time) bool {
	return !f.never && !now.Before(created.Add(f.readyAfter))
}

// failing says whether the request that is the count-th for a snapshot that
// was never taken ends in the fault.
func (f faults) failing(count int) bool {
	return f.fail != codes.OK && (f.failTimes == 0 || count <= f.failTimes)
}
