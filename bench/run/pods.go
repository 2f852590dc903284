package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/bench/figures"
)

// follower notes when Pods come and become ready, as a watch tells it: the Pods themselves say so to the second only.
type follower struct {
	watch watch.Interface

	mu   sync.Mutex
	pods map[string]*podSeen
	// changed is closed and made anew with each change.
	changed chan struct{}
}

type podSeen struct {
	member, release string
	created, ready  time.Time
}

const memberLabel = "app.kubernetes.io/name"

func (b *bench) followPods(ctx context.Context, selector string) (*follower, error) {
	w, err := b.clients.CoreV1().Pods(metav1.NamespaceAll).Watch(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	f := &follower{watch: w, pods: map[string]*podSeen{}, changed: make(chan struct{})}
	go f.run()
	return f, nil
}

func (f *follower) run() {
	for event := range f.watch.ResultChan() {
		if pod, ok := event.Object.(*corev1.Pod); ok && event.Type != watch.Deleted {
			f.see(pod, time.Now())
		}
	}
}

func (f *follower) see(pod *corev1.Pod, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := f.pods[string(pod.UID)]
	if seen == nil {
		seen = &podSeen{member: pod.Labels[memberLabel], release: pod.Labels[v1alpha1.LabelRelease], created: at}
		f.pods[string(pod.UID)] = seen
	}
	if seen.ready.IsZero() && isReady(pod) {
		seen.ready = at
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

func isReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func (f *follower) stop() { f.watch.Stop() }

// took is how long each member's Pod of a release took to become ready.
func (f *follower) took(release string) map[string]time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	took := map[string]time.Duration{}
	for _, p := range f.pods {
		if p.release == release && !p.ready.IsZero() {
			took[p.member] = max(took[p.member], p.ready.Sub(p.created))
		}
	}
	return took
}

// critical is the critical path of a release, in seconds.
func (f *follower) critical(release string) (float64, error) {
	took := f.took(release)
	if len(took) != members {
		return 0, fmt.Errorf("%d Pods of %d members of release %q were seen to become ready", len(took), members, release)
	}
	return figures.CriticalPath(needs(), took).Seconds(), nil
}

// wait until the members are ready; release is empty where nobody stamps Pods.
func (f *follower) wait(ctx context.Context, wanted []string) error {
	for {
		f.mu.Lock()
		changed := f.changed
		f.mu.Unlock()
		if took := f.took(""); all(wanted, func(m string) bool { return took[m] > 0 }) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %v: %w", wanted, ctx.Err())
		}
	}
}

func all(names []string, is func(string) bool) bool {
	for _, n := range names {
		if !is(n) {
			return false
		}
	}
	return true
}
