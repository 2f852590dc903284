package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/bench/figures"
	"github.com/lockstep-dev/lockstep/internal/testkit/journey"
)

// bareRelease applies the same objects as a release, each member as soon as those that it needs are ready, and does nothing
// else.
func (b *bench) bareRelease(ctx context.Context, sample *figures.WholeSample) error {
	if err := b.DeleteNamespace(ctx, bareHome); err != nil {
		return err
	}
	if err := b.emptyNamespace(ctx); err != nil {
		return err
	}
	pods, err := b.followPods(ctx, "bench.lockstep.dev/bare=true")
	if err != nil {
		return err
	}
	defer pods.stop()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for _, m := range memberNames() {
		g.Go(func() error {
			if err := pods.wait(ctx, needs()[m]); err != nil {
				return err
			}
			return b.Apply(ctx, bareManifest(m, sample.Delay))
		})
	}
	g.Go(func() error { return pods.wait(ctx, memberNames()) })
	if err := g.Wait(); err != nil {
		return err
	}
	sample.Bare = time.Since(began).Seconds()
	sample.BareCritical, err = pods.critical("")
	return err
}

// emptyNamespace is one in which Pods can be made: that of a slot was there before, too.
func (b *bench) emptyNamespace(ctx context.Context) error {
	if err := b.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: bareHome}}); err != nil {
		return err
	}
	return journey.Until(ctx, 20*time.Second, func(ctx context.Context) error {
		return b.Get(ctx, client.ObjectKey{Namespace: bareHome, Name: "default"}, &corev1.ServiceAccount{})
	})
}

// bareManifest is a member's, in the namespace for it and with a label that its Pod is found by.
func bareManifest(member string, delay int) string {
	text := fmt.Sprintf(memberManifest, member, "bare", delay)
	text = strings.ReplaceAll(text, "metadata: {name: "+member+"}", "metadata: {name: "+member+", namespace: "+bareHome+"}")
	return strings.Replace(text, "metadata: {labels: {", "metadata: {labels: {bench.lockstep.dev/bare: \"true\", ", 1)
}
