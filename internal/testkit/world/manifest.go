package world

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Manifest is what a revision renders to.
type Manifest struct {
	Members []v1alpha1.ReleaseMember
	// Broken members never get ready; Unpullable ones have an image that does not exist.
	Broken, Unpullable map[string]bool
	// Fails is why it cannot be rendered.
	Fails string
}

// Shop has a frontend that calls a catalog, and a mailer that no one calls.
func Shop() Manifest {
	return Manifest{Members: []v1alpha1.ReleaseMember{
		Serves("frontend", 2, "catalog"),
		Serves("catalog", 2),
		Works("mailer"),
	}}
}

// Small has a frontend of one Pod and a mailer: little to happen, for those who look at everything that can.
func Small() Manifest {
	return Manifest{Members: []v1alpha1.ReleaseMember{Serves("frontend", 1), Works("mailer")}}
}

// Serves is a member that is called through a Service of its own name.
func Serves(name string, replicas int32, dependsOn ...string) v1alpha1.ReleaseMember {
	return v1alpha1.ReleaseMember{
		Name: name, Kind: "Deployment", Role: v1alpha1.RoleService, Replicas: replicas,
		Services: []string{name}, DependsOn: dependsOn,
	}
}

// Works is a member that acts without being called.
func Works(name string) v1alpha1.ReleaseMember {
	return v1alpha1.ReleaseMember{Name: name, Kind: "Deployment", Role: v1alpha1.RoleWorker, Replicas: 1}
}

// Strikes is a CronJob.
func Strikes(name string) v1alpha1.ReleaseMember {
	return v1alpha1.ReleaseMember{Name: name, Kind: cronJob, Role: v1alpha1.RoleWorker, Replicas: 1}
}

// ShopStack is the Stack of Shop, with every default filled in.
func ShopStack() v1alpha1.Stack {
	stack := v1alpha1.Stack{}
	stack.Name, stack.Namespace, stack.UID = "shop", "shop", "uid-shop"
	stack.Spec.Slots = []v1alpha1.Slot{{Name: "blue", Namespace: "shop-blue"}, {Name: "green", Namespace: "shop-green"}}
	stack.Spec.Entries = []v1alpha1.Entry{{
		Name: "web", Backend: v1alpha1.Backend{Service: "frontend", Port: 80},
		Preview: &v1alpha1.Preview{}, RequireEvidence: v1alpha1.EvidenceServed,
		VirtualService: &v1alpha1.VirtualServiceEntry{Hosts: []string{"shop.example.com"}},
	}}
	stack.Spec.Start = v1alpha1.Start{When: v1alpha1.StartManual, Interval: Duration(time.Minute)}
	stack.Spec.Sessions.DrainTimeout = Duration(time.Minute)
	stack.Spec.Strategy.BlueGreen = v1alpha1.BlueGreen{
		Promotion:    v1alpha1.PromotionManual,
		KeepPrevious: v1alpha1.KeepPrevious{For: Duration(10 * time.Minute)},
	}
	stack.Spec.Deadlines = v1alpha1.Deadlines{
		Render: Duration(2 * time.Minute), Deploy: Duration(10 * time.Minute),
		Check: Duration(10 * time.Minute), Switch: Duration(5 * time.Minute),
	}
	stack.Spec.Queue.Policy = v1alpha1.QueueWait
	stack.Spec.HistoryLimit = 10
	return stack
}

// Duration as the API has it.
func Duration(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

// manifest of a revision.
func (w *World) manifest(revision string) Manifest {
	if m, ok := w.Repo[revision]; ok {
		return m
	}
	return w.Default
}

// runs is what the Pods of a release are made from.
func (w *World) runs(release string) Manifest {
	r := w.Release(release)
	if r == nil || r.Status.Started == nil {
		return w.Default
	}
	return w.manifest(r.Status.Started.Commit)
}
