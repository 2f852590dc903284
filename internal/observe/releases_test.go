package observe

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

func decisionSeen(by, name, of string, result v1alpha1.DecisionResult) *v1alpha1.Decision {
	return &v1alpha1.Decision{
		ObjectMeta: metav1.ObjectMeta{Namespace: "home", Name: name, Labels: map[string]string{"seen": by}},
		Spec:       v1alpha1.DecisionSpec{Release: of}, Status: v1alpha1.DecisionStatus{Result: result},
	}
}

// seen tells of objects who has seen each so.
func seen[T any](all []T, object func(*T) client.Object) []string {
	var told []string
	for i := range all {
		o := object(&all[i])
		told = append(told, o.GetName()+" as "+o.GetLabels()["seen"])
	}
	return told
}

func TestReleasesThatMayChangeAreRead(t *testing.T) {
	other := releaseSeen("watched", "f-others", "")
	other.Spec.Stack = "other"
	speaks := func(s *v1alpha1.Stack) {
		s.Status.Units = []v1alpha1.UnitStatus{{Name: "all", ActiveRelease: "g-new", LiveRelease: "b-live"}}
		s.Status.Slots = []v1alpha1.SlotStatus{{Name: "blue", Release: "c-kept"}, {Name: "green", Release: "b-live"}}
	}
	watched := []client.Object{
		at("7", speaks), other,
		releaseSeen("watched", "a-live", v1alpha1.OutcomeLive), releaseSeen("watched", "b-live", v1alpha1.OutcomeLive),
		releaseSeen("watched", "c-kept", v1alpha1.OutcomeReplaced), releaseSeen("watched", "d-waiting", ""),
		releaseSeen("watched", "e-gone", ""), releaseSeen("watched", "z-past", v1alpha1.OutcomeFailed),
	}
	live := []client.Object{
		at("7", speaks), releaseSeen("live", "a-live", v1alpha1.OutcomeLive), releaseSeen("live", "b-live", v1alpha1.OutcomeLive),
		releaseSeen("live", "c-kept", v1alpha1.OutcomeReplaced), releaseSeen("live", "d-waiting", v1alpha1.OutcomeFailed),
		releaseSeen("live", "g-new", ""), releaseSeen("live", "z-past", v1alpha1.OutcomeFailed),
	}
	var asked reads
	s := watching(t, cluster(t, interceptor.Funcs{}, watched...), cluster(t, asked.funcs(), live...))

	want := []string{"a-live as live", "b-live as live", "c-kept as live", "d-waiting as live", "g-new as live", "z-past as watched"}
	if diff := cmp.Diff(want, seen(s.Releases, func(r *v1alpha1.Release) client.Object { return r })); diff != "" {
		t.Errorf("releases (-want +got):\n%s", diff)
	}
	want = []string{"Release home/a-live", "Release home/b-live", "Release home/c-kept", "Release home/d-waiting", "Release home/e-gone", "Release home/g-new"}
	if diff := cmp.Diff(want, asked.of("Release", "ReleaseList")); diff != "" {
		t.Errorf("releases that were asked for (-want +got):\n%s", diff)
	}
}

func TestDecisionsThatMayBeOpenAreRead(t *testing.T) {
	watched := []client.Object{
		at("7", unchanged), releaseSeen("watched", "r1", ""),
		decisionSeen("watched", "open", "r1", ""), decisionSeen("watched", "answered", "r1", v1alpha1.DecisionAccepted),
		decisionSeen("watched", "answered-meanwhile", "r1", ""), decisionSeen("watched", "gone", "r1", ""),
		decisionSeen("watched", "of-nothing", "r9", ""),
	}
	live := []client.Object{
		at("7", unchanged), releaseSeen("live", "r1", ""), decisionSeen("live", "open", "r1", ""),
		decisionSeen("live", "answered", "r1", v1alpha1.DecisionAccepted), decisionSeen("live", "answered-meanwhile", "r1", v1alpha1.DecisionAccepted),
	}
	var asked reads
	s := watching(t, cluster(t, interceptor.Funcs{}, watched...), cluster(t, asked.funcs(), live...))

	if diff := cmp.Diff([]string{"open as live"}, seen(s.Decisions, func(d *v1alpha1.Decision) client.Object { return d })); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
	want := []string{"Decision home/answered-meanwhile", "Decision home/gone", "Decision home/open"}
	if diff := cmp.Diff(want, asked.of("Decision", "DecisionList")); diff != "" {
		t.Errorf("decisions that were asked for (-want +got):\n%s", diff)
	}
}

// TestAnAbortIsSeenThoughTheWatchHasHalted: while a release goes on by itself, nobody can rely on being told.
func TestAnAbortIsSeenThoughTheWatchHasHalted(t *testing.T) {
	for kind, want := range map[v1alpha1.StepKind]int{
		v1alpha1.StepDeploy: 1, v1alpha1.StepCheck: 1, v1alpha1.StepSwitch: 1, v1alpha1.StepRollback: 1,
		v1alpha1.StepHold: 0, "": 0, // its event brings a pass
	} {
		t.Run(string(kind), func(t *testing.T) {
			goingOn := at("7", func(s *v1alpha1.Stack) {
				s.Status.Units = []v1alpha1.UnitStatus{{Name: plan.UnitAll, ActiveRelease: "r1"}}
				if kind != "" {
					s.Status.Units[0].Step = &v1alpha1.StepStatus{Kind: kind}
				}
			})
			s := watching(
				t, cluster(t, interceptor.Funcs{}, goingOn, releaseSeen("watched", "r1", "")),
				cluster(t, interceptor.Funcs{}, goingOn.DeepCopy(), releaseSeen("live", "r1", ""), decisionSeen("live", "abort", "r1", "")),
			)
			if got := len(s.Decisions); got != want {
				t.Errorf("%d Decisions, want %d", got, want)
			}
		})
	}
}

// TestReleasesAreListedWhereSomeoneGoesBack: one may have been made for it that the watch has not told of.
func TestReleasesAreListedWhereSomeoneGoesBack(t *testing.T) {
	for verb, want := range map[v1alpha1.Verb]int{v1alpha1.VerbRollback: 2, v1alpha1.VerbPromote: 1} {
		t.Run(string(verb), func(t *testing.T) {
			d := decisionSeen("both", "d", "r1", "")
			d.Spec.Verb = verb
			s := watching(
				t, cluster(t, interceptor.Funcs{}, at("7", speakingOf("r1")), releaseSeen("watched", "r1", v1alpha1.OutcomeLive), d),
				cluster(t, interceptor.Funcs{}, at("7", speakingOf("r1")), releaseSeen("live", "r1", v1alpha1.OutcomeLive), releaseSeen("live", "back", ""), d.DeepCopy()),
			)
			if got := len(s.Releases); got != want {
				t.Errorf("%d releases, want %d", got, want)
			}
		})
	}
}

// TestWhatCannotBeReadIsNotLeftOut: a release or Decision that is missing would be taken for gone.
func TestWhatCannotBeReadIsNotLeftOut(t *testing.T) {
	objects := func() []client.Object {
		return []client.Object{at("7", speakingOf("r1")), releaseSeen("both", "r1", ""), decisionSeen("both", "d", "r1", "")}
	}
	busy := func(at string) *reads {
		return &reads{before: func(_ context.Context, what string) error {
			if what == at {
				return apierrors.NewTooManyRequests("later", 1)
			}
			return nil
		}}
	}
	for name, test := range map[string]struct{ watched, live *reads }{
		"a release":                  {live: busy("Release home/r1")},
		"a Decision":                 {live: busy("Decision home/d")},
		"the watched Decisions":      {watched: busy("DecisionList home")},
		"the watched releases":       {watched: busy("ReleaseList home")},
		"the watched frozen content": {watched: busy("SecretList " + controllerNamespace)},
	} {
		t.Run(name, func(t *testing.T) {
			of := func(r *reads) client.Reader {
				if r == nil {
					r = &reads{}
				}
				return cluster(t, r.funcs(), objects()...)
			}
			_, err := New(Options{Watched: of(test.watched), Live: of(test.live), ControllerNamespace: controllerNamespace}).Observe(t.Context(), shop)
			if !apierrors.IsTooManyRequests(err) {
				t.Errorf("error %v, want that it cannot be read now", err)
			}
		})
	}
}

func TestFrozenContentThatIsWatchedIsNotAskedFor(t *testing.T) {
	release := func(name string, secrets ...string) *v1alpha1.Release {
		r := releaseSeen("both", name, "")
		r.Status.Started = &v1alpha1.ReleaseStarted{Content: []v1alpha1.SlotContent{{Slot: "blue", Secrets: secrets}}}
		return r
	}
	secret := func(name, stack string) *corev1.Secret {
		labels := stackLabels(v1alpha1.LabelContent, "true", v1alpha1.LabelStack, stack)
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: controllerNamespace, Name: name, Labels: labels}}
	}
	objects := func(more ...client.Object) []client.Object {
		return append(more, at("7", unchanged), release("whole", "watched", "new"), release("lost", "watched", "others"))
	}
	var asked reads
	s := watching(
		t, cluster(t, interceptor.Funcs{}, objects(secret("watched", "shop"), secret("others", "other"))...),
		cluster(t, asked.funcs(), objects(secret("new", "shop"))...),
	)

	if diff := cmp.Diff(map[string]bool{"whole": true, "lost": false}, s.Content); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
	want := []string{"Secret lockstep-system/new", "Secret lockstep-system/others"}
	if diff := cmp.Diff(want, asked.of("Secret", "SecretList")); diff != "" {
		t.Errorf("frozen content that was asked for (-want +got):\n%s", diff)
	}
}
