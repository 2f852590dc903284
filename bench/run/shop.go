package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/bench/figures"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/testkit/journey"
)

// name of the Stack in each namespace.
const name = "shop"

// shop is the example stack without its worker, in namespaces of its own, behind one kind of entry.
type shop struct {
	b    *bench
	kind string
	home string
	host string
	repo *journey.Repo
}

const shopStack = `
apiVersion: lockstep.dev/v1alpha1
kind: Stack
metadata: {name: shop, namespace: %[1]s}
spec:
  source:
    git: {url: %[2]q, path: apps/shop}
    helm: {valuesFiles: [values.yaml, values-$(slot).yaml]}
  entries:
  - name: web
    %[3]s
    backend: {service: frontend, port: 80}
    preview: {header: {name: x-lockstep-preview, value: "true"}}
  sessions: {drainTimeout: 1s}
  strategy: {blueGreen: {promotion: Manual, keepPrevious: {for: %[4]s}}}
`

// keepForLong is longer than the benchmark takes.
const keepForLong = "3h"

// worker is removed from the shop: handing workers over is no part of how long users wait.
const worker = `- name: ledger
  version: 0.1.0
  repository: file://../../charts/ledger
`

// shopBehind releases version 1 behind a kind of entry, where that was not done before.
func (b *bench) shopBehind(ctx context.Context, kind string) (*shop, error) {
	if s := b.shops[kind]; s != nil {
		return s, nil
	}
	s := &shop{b: b, kind: kind, home: "bench-" + kind, host: kind + ".bench.example.com"}
	b.say("%s: version 1 goes live", kind)
	for _, ns := range s.namespaces() {
		if err := b.DeleteNamespace(ctx, ns); err != nil {
			return nil, err
		}
	}
	var err error
	if s.repo, err = b.PushRepo(ctx, "bench/"+kind, filepath.Join(b.Root, "examples", "shop", "repo")); err != nil {
		return nil, err
	}
	b.shops[kind] = s
	if err := s.repo.Replace("apps/shop/Chart.yaml", worker, ""); err != nil {
		return nil, err
	}
	if err := b.Home(ctx, s.home); err != nil {
		return nil, err
	}
	if err := s.keep(ctx, keepForLong); err != nil {
		return nil, err
	}
	r, err := s.release(ctx)
	if err != nil {
		return nil, err
	}
	return s, s.untilLive(ctx, r.Name)
}

func (s *shop) namespaces() []string { return []string{s.home, s.slot("blue"), s.slot("green")} }

func (s *shop) slot(slot string) string { return s.home + "-" + slot }

// keep says for how long the previous release is kept warm.
func (s *shop) keep(ctx context.Context, how string) error {
	route := fmt.Sprintf("httpRoute: {parentRefs: [{name: public, namespace: istio-system}], hostnames: [%s]}", s.host)
	if s.kind == figures.VirtualService {
		route = fmt.Sprintf("virtualService: {hosts: [%s], gateways: [istio-system/public]}", s.host)
	}
	return s.b.Apply(ctx, fmt.Sprintf(shopStack, s.home, s.repo.URL, route, how))
}

// release makes a Release of a new commit.
func (s *shop) release(ctx context.Context) (*v1alpha1.Release, error) {
	commit, err := s.repo.Push(ctx, "Another version")
	if err != nil {
		return nil, err
	}
	return s.b.release(ctx, s.home, commit)
}

func (b *bench) release(ctx context.Context, namespace, commit string) (*v1alpha1.Release, error) {
	spec := v1alpha1.ReleaseSpec{Stack: name, Revision: commit}
	r := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Name: plan.ReleaseName(spec), Namespace: namespace}, Spec: spec}
	return r, b.Create(ctx, r)
}

// untilHold waits until the release can be promoted, and its preview is served.
func (s *shop) untilHold(ctx context.Context, release string) error {
	return s.until(ctx, "at its hold with "+release, func(u v1alpha1.UnitStatus) bool {
		return u.ActiveRelease == release && u.Step.Kind == v1alpha1.StepHold && u.Step.Reason == v1alpha1.ReasonAwaitingPromotion && served(u)
	})
}

// untilLive waits until users are on the release, and no other is under way.
func (s *shop) untilLive(ctx context.Context, release string) error {
	return s.until(ctx, "live with "+release, func(u v1alpha1.UnitStatus) bool {
		return u.ActiveRelease == "" && u.LiveRelease == release && served(u)
	})
}

func served(u v1alpha1.UnitStatus) bool {
	for _, e := range u.Entries {
		if e.Evidence != v1alpha1.EvidenceServed {
			return false
		}
	}
	return len(u.Entries) > 0
}

func (s *shop) until(ctx context.Context, what string, check func(v1alpha1.UnitStatus) bool) error {
	return s.b.UntilStack(ctx, s.home, name, 2*time.Minute, what, func(stack *v1alpha1.Stack) bool {
		return len(stack.Status.Units) > 0 && check(stack.Status.Units[0])
	})
}

// untilIdle waits until one slot is live and nothing runs in the other.
func (s *shop) untilIdle(ctx context.Context) error {
	return s.b.UntilStack(ctx, s.home, name, 2*time.Minute, "idle in one slot", func(stack *v1alpha1.Stack) bool {
		for _, slot := range stack.Status.Slots {
			if slot.State != v1alpha1.SlotLive && slot.State != v1alpha1.SlotIdle {
				return false
			}
		}
		return true
	})
}

func (s *shop) unit(ctx context.Context) (v1alpha1.UnitStatus, error) {
	stack, err := s.b.Stack(ctx, s.home, name)
	if err != nil || len(stack.Status.Units) == 0 {
		return v1alpha1.UnitStatus{}, err
	}
	return stack.Status.Units[0], nil
}

// decision that is complete but for being made.
func (s *shop) decision(ctx context.Context, verb v1alpha1.Verb, release string) (*v1alpha1.Decision, error) {
	r := &v1alpha1.Release{}
	if err := s.b.Get(ctx, client.ObjectKey{Namespace: s.home, Name: release}, r); err != nil {
		return nil, err
	}
	u, err := s.unit(ctx)
	if err != nil {
		return nil, err
	}
	d := &v1alpha1.Decision{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("%s-%s-%s", release, strings.ToLower(string(verb)), rand.String(5)), Namespace: s.home,
			Labels: map[string]string{v1alpha1.LabelStack: name},
		},
		Spec: v1alpha1.DecisionSpec{Release: release, ReleaseUID: string(r.UID), Verb: verb, By: s.b.me},
	}
	if verb == v1alpha1.VerbPromote {
		d.Spec.Step, d.Spec.Attempt, d.Spec.Digest = u.Step.Kind, u.Step.Attempt, r.Status.Started.Digest
	}
	return d, nil
}
