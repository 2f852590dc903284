package observe

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

var workloadLists = []string{"DeploymentList", "StatefulSetList", "DaemonSetList", "JobList", "CronJobList"}

// inBoth are lists that are read in each slot.
func inBoth(lists ...string) []string {
	var all []string
	for _, list := range lists {
		all = append(all, list+" home-blue", list+" home-green")
	}
	return all
}

func releaseWith(name string, kinds ...string) *v1alpha1.Release {
	r := releaseSeen("both", name, "")
	r.Status.Started = &v1alpha1.ReleaseStarted{}
	for _, kind := range kinds {
		r.Status.Started.Members = append(r.Status.Started.Members, v1alpha1.ReleaseMember{Kind: kind, Name: "web"})
	}
	return r
}

func TestKindsThatNoReleaseHasAreNotAskedFor(t *testing.T) {
	of := func(r *v1alpha1.Release, stack string) *v1alpha1.Release { r.Spec.Stack = stack; return r }
	past := releaseWith("r0", "DaemonSet")
	past.Status.Ended = &v1alpha1.ReleaseEnded{Outcome: v1alpha1.OutcomeReplaced}
	for name, test := range map[string]struct {
		watched []client.Object
		status  v1alpha1.StackStatus
		want    []string
	}{
		"nothing was ever released":               {},
		"one kind of members":                     {watched: []client.Object{releaseWith("r1", "Deployment")}, want: inBoth("DeploymentList")},
		"each kind of members":                    {watched: []client.Object{releaseWith("r1", "StatefulSet", "DaemonSet", "Job")}, want: inBoth("StatefulSetList", "DaemonSetList", "JobList")},
		"CronJobs make Jobs":                      {watched: []client.Object{releaseWith("r1", "CronJob")}, want: inBoth("CronJobList", "JobList")},
		"a member of a release of the past":       {watched: []client.Object{releaseWith("r1", "Deployment"), past}, want: inBoth("DeploymentList", "DaemonSetList")},
		"a member of another Stack's release":     {watched: []client.Object{of(releaseWith("r1", "Deployment"), "other")}},
		"a labelled workload in one of the slots": {watched: []client.Object{&appsv1.StatefulSet{ObjectMeta: inSlot("db", stackLabels())}}, want: []string{"StatefulSetList home-blue"}},
		"a labelled CronJob in one of the slots": {
			watched: []client.Object{&batchv1.CronJob{ObjectMeta: inSlot("nightly", stackLabels())}},
			want:    []string{"CronJobList home-blue", "JobList home-blue"},
		},
		"a release that is live was seen": {
			watched: []client.Object{releaseWith("r1", "Deployment")},
			status:  v1alpha1.StackStatus{Units: []v1alpha1.UnitStatus{{Name: plan.UnitAll, LiveRelease: "r1"}}},
			want:    inBoth("DeploymentList"),
		},
		"the live one was not": {
			status: v1alpha1.StackStatus{Units: []v1alpha1.UnitStatus{{Name: plan.UnitAll, LiveRelease: "r1"}}},
			want:   inBoth(workloadLists...),
		},
		"the active one was not": {
			watched: []client.Object{releaseWith("r1", "Deployment")},
			status:  v1alpha1.StackStatus{Units: []v1alpha1.UnitStatus{{Name: plan.UnitAll, LiveRelease: "r1", ActiveRelease: "r2"}}},
			want:    inBoth(workloadLists...),
		},
		"a slot's was not": {
			watched: []client.Object{releaseWith("r1", "Deployment")},
			status:  v1alpha1.StackStatus{Slots: []v1alpha1.SlotStatus{{Name: "green", Release: "r0"}, {Name: "blue", Release: "r1"}}},
			want:    inBoth(workloadLists...),
		},
		"the active one was seen before it started": {
			watched: []client.Object{releaseSeen("watched", "r2", "")},
			status:  v1alpha1.StackStatus{Units: []v1alpha1.UnitStatus{{Name: plan.UnitAll, ActiveRelease: "r2"}}},
			want:    inBoth(workloadLists...),
		},
		"the active one is another Stack's": {
			watched: []client.Object{of(releaseWith("r2", "Deployment"), "other")},
			status:  v1alpha1.StackStatus{Units: []v1alpha1.UnitStatus{{Name: plan.UnitAll, ActiveRelease: "r2"}}},
			want:    inBoth(workloadLists...),
		},
	} {
		t.Run(name, func(t *testing.T) {
			stack := at("7", func(s *v1alpha1.Stack) { s.Status = test.status })
			var asked reads
			watching(t, cluster(t, interceptor.Funcs{}, append(test.watched, stack.DeepCopy())...), cluster(t, asked.funcs(), stack))
			wantAsked(t, &asked, test.want)
		})
	}
}

func wantAsked(t *testing.T, asked *reads, want []string) {
	t.Helper()
	want = slices.Sorted(slices.Values(want))
	if diff := cmp.Diff(want, asked.of(workloadLists...)); diff != "" {
		t.Errorf("lists of workloads that were asked for (-want +got):\n%s", diff)
	}
}

func TestKindsAreAskedForWhereWatchingFails(t *testing.T) {
	for what, want := range map[string][]string{
		"ReleaseList home":          inBoth(workloadLists...),
		"StatefulSetList home-blue": append(inBoth("DeploymentList"), "StatefulSetList home-blue"),
	} {
		t.Run(what, func(t *testing.T) {
			watched := &reads{before: func(_ context.Context, asked string) error {
				if asked != what {
					return nil
				}
				return apierrors.NewTooManyRequests("later", 1)
			}}
			// On the way back releases and Decisions are listed, so that the pass does without what is watched.
			stack := func() client.Object {
				return at("7", func(s *v1alpha1.Stack) {
					s.Status.Units = []v1alpha1.UnitStatus{{Name: plan.UnitAll, Step: &v1alpha1.StepStatus{Kind: v1alpha1.StepRollback}}}
				})
			}
			back := decisionSeen("watched", "d", "r1", "")
			back.Spec.Verb = v1alpha1.VerbRollback
			var asked reads
			watching(t, cluster(t, watched.funcs(), stack(), back, releaseWith("r1", "Deployment")), cluster(t, asked.funcs(), stack()))
			wantAsked(t, &asked, want)
		})
	}
}

func TestEveryKindIsAskedForWhereNothingIsWatched(t *testing.T) {
	var asked reads
	observe(t, cluster(t, asked.funcs(), smallestStack(), releaseWith("r1", "Deployment")))
	wantAsked(t, &asked, inBoth(workloadLists...))
}
