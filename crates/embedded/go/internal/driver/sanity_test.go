package driver_test

import (
	"path/filepath"
	"testing"

	"github.com/kubernetes-csi/csi-test/v5/pkg/sanity"
	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
)

// What the authors of the Container Storage Interface expect of any driver.
func TestSanity(t *testing.T) {
	m := start(t)
	directory := t.TempDir()
	config := sanity.NewTestConfig()
	config.TargetPath = filepath.Join(directory, "target")
	config.StagingPath = filepath.Join(directory, "staging")
	config.TestVolumeSize = 64 * MiB
	config.TestVolumeExpandSize = 96 * MiB
	config.IdempotentCount = 2

	// The suite gets its connection from here and no address: its own way to connect waits until the
	// connection's state changes from the one that it reads first, and a driver in the same process may be
	// connected before it has read any. Then it waits for a minute, and fails.
	suite := sanity.GinkgoTest(&config)
	suite.Conn = m.dial(m.options.Socket())
	suite.ControllerConn = suite.Conn
	gomega.RegisterFailHandler(ginkgo.Fail)
	ginkgo.RunSpecs(t, "Container Storage Interface")
}
