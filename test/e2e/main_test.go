// Package e2e takes whole releases through the real cluster: the installed controller with its real rights, real
// gateways, real traffic, watched by the witness. The journeys, and tests that stop the controller or take the admission
// policy away, have the cluster to themselves; the others run three at a time, with fewer users.
package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/lockstep-dev/lockstep/internal/testkit/journey"
)

var cluster *journey.Cluster

func TestMain(m *testing.M) {
	if err := setUp(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e: set-up failed:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func setUp() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if cluster, err = journey.Connect(); err != nil {
		return err
	}
	return cluster.Install(ctx, os.Stdout)
}
