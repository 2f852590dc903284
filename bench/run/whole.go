package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/bench/figures"
	"github.com/lockstep-dev/lockstep/internal/testkit/journey"
)

// members of the stack whose whole release is measured.
const members = 10

// needs is which members wait for which: five deep, three abreast.
func needs() map[string][]string {
	return map[string][]string{
		"m1": nil,
		"m2": {"m1"}, "m3": {"m1"}, "m4": {"m1"},
		"m5": {"m2"}, "m6": {"m3"}, "m7": {"m4", "m2"},
		"m8": {"m5", "m6"}, "m9": {"m7"},
		"m10": {"m8", "m9"},
	}
}

func memberNames() []string {
	var names []string
	for i := 1; i <= members; i++ {
		names = append(names, fmt.Sprintf("m%d", i))
	}
	return names
}

const chainStack = `
apiVersion: lockstep.dev/v1alpha1
kind: Stack
metadata: {name: shop, namespace: %[1]s}
spec:
  source: {git: {url: %[2]q, path: plain}, plain: {}}
  entries:
  - name: web
    httpRoute: {parentRefs: [{name: public, namespace: istio-system}], hostnames: [whole.bench.example.com]}
    backend: {service: m10, port: 80}
  members:
%[3]s  sessions: {drainTimeout: 1s}
  strategy: {blueGreen: {promotion: Auto, keepPrevious: {for: 1s}}}
`

const memberManifest = `apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  selector: {matchLabels: {app.kubernetes.io/name: %[1]s}}
  template:
    metadata: {labels: {app.kubernetes.io/name: %[1]s}}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: m
        image: lockstep.dev/shop/catalog:1.0.0
        imagePullPolicy: IfNotPresent
        env: [{name: VERSION, value: %[2]q}, {name: START_DELAY, value: %[3]ds}]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /readyz, port: http}, periodSeconds: 1}
        resources: {requests: {cpu: 5m, memory: 16Mi}, limits: {memory: 64Mi}}
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
---
apiVersion: v1
kind: Service
metadata: {name: %[1]s}
spec: {selector: {app.kubernetes.io/name: %[1]s}, ports: [{name: http, port: 80, targetPort: http}]}
`

const (
	wholeHome = "bench-whole"
	bareHome  = "bench-bare"
)

// wholeReleases takes turns: a release of all members, and the same objects applied bare in the same order; first of members
// that are ready as soon as they run, then of such as take a while.
func (b *bench) wholeReleases(ctx context.Context) error {
	repo, err := b.chain(ctx)
	if err != nil {
		return err
	}
	defer repo.Remove()
	defer b.forget(context.WithoutCancel(ctx), wholeHome, wholeHome+"-blue", wholeHome+"-green", bareHome)
	b.say("version 1 of %d members goes live", members)
	version := 0
	if _, err := b.wholeRelease(ctx, repo, version, 0); err != nil {
		return err
	}
	for _, series := range []struct{ n, delay int }{{b.wholes, 0}, {b.slowWholes, figures.SlowMember}} {
		for i := 1; i <= series.n; i++ {
			version++
			sample, err := b.wholeRelease(ctx, repo, version, series.delay)
			if err != nil {
				return err
			}
			if err := b.bareRelease(ctx, &sample); err != nil {
				return err
			}
			b.results.Samples.Whole = append(b.results.Samples.Whole, sample)
			b.say("%d/%d  members wait %d s; release %.2f s, its critical path %.2f s (%.2f); bare %.2f s, its critical path %.2f s   %v", i, series.n, series.delay,
				sample.Lockstep, sample.Critical, sample.Lockstep/sample.Critical, sample.Bare, sample.BareCritical, sample.Steps)
		}
	}
	return nil
}

func (b *bench) forget(ctx context.Context, namespaces ...string) {
	for _, ns := range namespaces {
		_ = b.ForgetNamespace(ctx, ns)
	}
}

// chain pushes the members, and says what their Stack is.
func (b *bench) chain(ctx context.Context) (*journey.Repo, error) {
	for _, ns := range []string{wholeHome, wholeHome + "-blue", wholeHome + "-green"} {
		if err := b.DeleteNamespace(ctx, ns); err != nil {
			return nil, err
		}
	}
	empty, err := os.MkdirTemp("", "lockstep-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(empty) }()
	repo, err := b.PushRepo(ctx, "bench/whole", empty)
	if err != nil {
		return nil, err
	}
	if err := b.Home(ctx, wholeHome); err != nil {
		return nil, err
	}
	declared := &strings.Builder{}
	for _, m := range memberNames() {
		var on []string
		for _, needed := range needs()[m] {
			on = append(on, "{name: "+needed+"}")
		}
		fmt.Fprintf(declared, "  - {name: %s, dependsOn: [%s]}\n", m, strings.Join(on, ", "))
	}
	return repo, b.Apply(ctx, fmt.Sprintf(chainStack, wholeHome, repo.URL, declared))
}

// wholeRelease measures from the creation of a Release until it is live: every entry is seen to serve it.
func (b *bench) wholeRelease(ctx context.Context, repo *journey.Repo, version, delay int) (figures.WholeSample, error) {
	sample := figures.WholeSample{Delay: delay, Steps: map[string]float64{}}
	for _, m := range memberNames() {
		if err := repo.Write("plain/"+m+".yaml", fmt.Sprintf(memberManifest, m, fmt.Sprint(version), delay)); err != nil {
			return sample, err
		}
	}
	commit, err := repo.Push(ctx, fmt.Sprintf("Version %d", version))
	if err != nil {
		return sample, err
	}
	pods, err := b.followPods(ctx, v1alpha1.LabelStackNamespace+"="+wholeHome)
	if err != nil {
		return sample, err
	}
	defer pods.stop()
	s := &shop{b: b, home: wholeHome}
	began := time.Now()
	r, err := b.release(ctx, wholeHome, commit)
	if err != nil {
		return sample, err
	}
	if err := s.followSteps(ctx, r.Name, sample.Steps); err != nil {
		return sample, err
	}
	sample.Lockstep = time.Since(began).Seconds()
	if sample.Critical, err = pods.critical(r.Name); err != nil {
		return sample, err
	}
	return sample, s.untilIdle(ctx)
}

// followSteps waits until the release is live, and notes how long it was at each step.
func (s *shop) followSteps(ctx context.Context, release string, steps map[string]float64) error {
	last, step := time.Now(), "Queue"
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(25 * time.Millisecond) {
		u, err := s.unit(ctx)
		if err != nil {
			return err
		}
		now := step
		switch {
		case u.ActiveRelease == release:
			now = string(u.Step.Kind)
		case u.LiveRelease == release:
			now = ""
		case time.Now().After(deadline):
			return fmt.Errorf("release %s did not go live; it is at %s", release, step)
		}
		if now != step {
			steps[step] += float64(time.Since(last).Milliseconds()) / 1000
			last, step = time.Now(), now
		}
		if now == "" {
			return nil
		}
	}
}
