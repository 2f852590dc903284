package plan_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/testkit/world"
)

// FuzzSpecs gives the planner Stacks and Releases as anyone might write them, past every schema: it plans, says the same
// twice, and starts nothing for a Stack that contradicts itself.
func FuzzSpecs(f *testing.F) {
	for _, seed := range [][2]string{
		{"{}", "{}"},
		{"entries: [{name: web, backend: {service: frontend, port: 80}}]\nslots: [{name: blue, namespace: a}, {name: green, namespace: a}]", "stack: shop"},
		{"members: [{name: a, dependsOn: [{name: b}]}, {name: b, dependsOn: [{name: a}]}]", "stack: other\nretry: -1"},
		{"slots: [{name: system, namespace: kube-system}]\nstart: {on: Tag, pattern: '(?P<slot>'}", "stack: shop\nrollbackOf: r"},
		{"strategy: {blueGreen: {promotion: Auto, previewReplicas: -3, keepPrevious: {for: -1h}}}\nsessions: {drainTimeout: -1s}\nhistoryLimit: -7", "stack: shop\nslot: nowhere\nimages: [{member: a, image: ''}]"},
		{"queue: {policy: Supersede, group: g}\nsuspend: true\ndeadlines: {deploy: 0s}\nsource: {inline: [{}]}", "stack: shop\nrevision: '" + "x" + "'"},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]), uint8(3))
	}
	f.Fuzz(func(t *testing.T, stackSpec, releaseSpec []byte, passes uint8) {
		w := world.New(world.ShopStack())
		if yaml.Unmarshal(stackSpec, &w.Stack.Spec) != nil {
			t.Skip("no YAML of a Stack's spec")
		}
		var spec v1alpha1.ReleaseSpec
		if yaml.Unmarshal(releaseSpec, &spec) != nil {
			t.Skip("no YAML of a Release's spec")
		}
		release := v1alpha1.Release{Spec: spec}
		release.Name, release.Namespace, release.UID = "made", "shop", "uid-made"
		for range passes % 8 {
			s := snapshotOf(&w.Stack, release)
			first, second := plan.Next(s, w.Now), plan.Next(s, w.Now)
			if diff := cmp.Diff(first, second); diff != "" {
				t.Fatalf("the same Snapshot is planned for in two ways:\n%s", diff)
			}
			if wrong := plan.Validate(&w.Stack); len(wrong) > 0 {
				starts(t, first, wrong)
			}
			w.Stack.Status = first.Status
			w.Now = w.Now.Add(time.Minute)
		}
	})
}

// starts fails if a plan for a Stack that contradicts itself touches a slot or an entry.
func starts(t *testing.T, p plan.Plan, wrong []string) {
	t.Helper()
	for _, a := range p.Actions {
		switch a.(type) {
		case plan.EndRelease, plan.AnswerDecision, plan.Event, plan.DeleteRelease:
		default:
			t.Fatalf("%s %s, and the Stack contradicts itself: %q", a.Verb(), a.Object(), wrong)
		}
	}
}

// snapshotOf is a cluster in which nothing is there yet.
func snapshotOf(stack *v1alpha1.Stack, release v1alpha1.Release) plan.Snapshot {
	s := plan.Snapshot{Stack: *stack, Releases: []v1alpha1.Release{release}, Content: map[string]bool{}}
	for _, slot := range stack.Spec.Slots {
		s.Slots = append(s.Slots, plan.Slot{Name: slot.Name, Namespace: slot.Namespace})
	}
	for _, e := range stack.Spec.Entries {
		s.Entries = append(s.Entries, plan.Entry{Name: e.Name, Service: e.Backend.Service, Port: e.Backend.Port})
	}
	return s
}
