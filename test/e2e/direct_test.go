package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/config"
	"github.com/lockstep-dev/lockstep/internal/testkit/journey"
)

// TestDirect takes users back while there is no controller. Once there is one again, it finishes what was begun.
func TestDirect(t *testing.T) {
	s := started(t, "direct", settings{})
	v1 := s.unit().LiveRelease
	s.version("2.0.0", "catalog", "frontend")
	s.run(0, "release", "shop", "--wait=Hold")
	s.run(0, "promote", "shop", "--wait=Live")
	s.usersSee(s.unit().LiveRelease)

	s.controllers(0)
	t.Cleanup(func() { // also where it failed half-way
		s.ctx = context.WithoutCancel(s.ctx)
		s.controllers(1)
	})
	s.run(0, "rollback", "shop", "--direct")
	s.usersSee(v1)
	if u := s.unit(); u.LiveRelease == v1 {
		t.Fatal("the status says so already, so that a controller was there")
	}

	s.controllers(1)
	s.until(2*time.Minute, "rolled back", func(stack *v1alpha1.Stack) bool {
		u := stack.Status.Units[0]
		return u.LiveRelease == v1 && u.ActiveRelease == ""
	})
	if ended := s.releases()[v1].Status.Ended; ended == nil || ended.Outcome != v1alpha1.OutcomeLive {
		t.Errorf("release %s ended as %+v, want Live", v1, ended)
	}
	s.happy()
}

// controllers has n replicas of the controller run, and waits until that is so.
func (s *shop) controllers(n int32) {
	s.t.Helper()
	d := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: config.Namespace, Name: config.Controller}
	s.must(cluster.Get(s.ctx, key, d))
	was := client.MergeFrom(d.DeepCopy())
	d.Spec.Replicas = &n
	s.must(cluster.Patch(s.ctx, d, was))
	s.must(journey.Until(s.ctx, time.Minute, func(ctx context.Context) error {
		pods := &corev1.PodList{}
		if err := cluster.List(ctx, pods, client.InNamespace(key.Namespace), client.MatchingLabels{"app.kubernetes.io/component": "controller"}); err != nil {
			return err
		}
		if err := cluster.Get(ctx, key, d); err != nil || len(pods.Items) != int(n) || d.Status.ReadyReplicas != n {
			return fmt.Errorf("%d Pods of the controller, %d ready, want %d: %w", len(pods.Items), d.Status.ReadyReplicas, n, err)
		}
		return nil
	}))
}
