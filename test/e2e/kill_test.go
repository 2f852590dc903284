package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// TestKill kills the controller with SIGKILL at seeded random moments of two releases and a rollback.
func TestKill(t *testing.T) {
	kills := 5
	if os.Getenv("LOCKSTEP_SOAK") != "" {
		kills = 20
	}
	seed := uint64(20261121)
	t.Logf("seed %d, %d kills", seed, kills)
	random := rand.New(rand.NewPCG(seed, seed))
	s := started(t, "kill", settings{})
	done := make(chan struct{})
	killed := make(chan int, 1)
	go func() { killed <- s.keepKilling(random, kills, done) }()
	tag := 2
	for round := 0; len(killed) == 0 && round < 40; round++ {
		s.killedRound(fmt.Sprintf("%d.0.0", 1+tag%3))
		tag++
	}
	close(done)
	if n := <-killed; n < kills {
		t.Errorf("killed the controller %d times, want %d", n, kills)
	}
	s.happy()
}

// killedRound is a release, a promotion and a rollback, each of which has to come to its end all the same.
func (s *shop) killedRound(tag string) {
	s.t.Helper()
	s.version(tag, "catalog", "frontend", "cart")
	s.run(0, "release", "shop", "--wait=Hold", "--timeout=3m")
	s.run(0, "promote", "shop", "--wait=Live", "--timeout=3m")
	s.run(0, "rollback", "shop", "--wait=Live", "--timeout=3m")
	s.until(3*time.Minute, "settled", func(stack *v1alpha1.Stack) bool {
		idle := 0
		for _, slot := range stack.Status.Slots {
			if slot.State == v1alpha1.SlotIdle {
				idle++
			}
		}
		return stack.Status.Units[0].ActiveRelease == "" && idle == 1
	})
}

func (s *shop) keepKilling(random *rand.Rand, kills int, done <-chan struct{}) int {
	for n := range kills {
		select {
		case <-done:
			return n
		case <-time.After(time.Second + time.Duration(random.IntN(9000))*time.Millisecond):
		}
		killController(s.t)
	}
	return kills
}

// killController sends SIGKILL to the controller's process, and then removes its Pod: the kubelet would wait longer each
// time before it starts a container again that keeps dying.
func killController(t *testing.T) {
	command := os.Getenv("LOCKSTEP_CLUSTER_COMMAND")
	if command == "" {
		t.Errorf("LOCKSTEP_CLUSTER_COMMAND is not set: killing needs the local cluster")
		return
	}
	out, err := exec.Command(command, "run", "--", "pkill", "-KILL", "-f", "^/lockstep-controller").CombinedOutput()
	t.Logf("%s killed the controller: %v %s", time.Now().Format(time.TimeOnly), err, out)
	pods := &corev1.Pod{}
	err = cluster.DeleteAllOf(context.Background(), pods, client.InNamespace("lockstep-system"),
		client.MatchingLabels{"app.kubernetes.io/component": "controller"}, client.GracePeriodSeconds(0))
	if err != nil {
		t.Errorf("removing the killed controller's Pod: %v", err)
	}
}
