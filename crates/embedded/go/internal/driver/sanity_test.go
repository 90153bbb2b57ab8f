package driver_test

import (
	"path/filepath"
	"testing"

	"github.com/kubernetes-csi/csi-test/v5/pkg/sanity"
)

// What the authors of the Container Storage Interface expect of any driver.
func TestSanity(t *testing.T) {
	m := start(t)
	directory := t.TempDir()
	config := sanity.NewTestConfig()
	config.Address = "unix:" + m.options.Socket()
	config.TargetPath = filepath.Join(directory, "target")
	config.StagingPath = filepath.Join(directory, "staging")
	config.TestVolumeSize = 64 * MiB
	config.TestVolumeExpandSize = 96 * MiB
	config.IdempotentCount = 2
	sanity.Test(t, config)
}
