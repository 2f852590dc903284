package observe

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// DefaultSlots are the names of the slots of a Stack that names none.
var DefaultSlots = []string{"blue", "green"}

// WithDefaults returns a copy of the Stack in which everything that the schema or Lockstep has a default for is said.
// The schema fills in most of it; a Stack that was never at an API server has none.
func WithDefaults(in *v1alpha1.Stack) *v1alpha1.Stack {
	stack := in.DeepCopy()
	spec := &stack.Spec
	sourceDefaults(spec)
	slotDefaults(stack)
	for i := range spec.Entries {
		entryDefaults(&spec.Entries[i])
	}
	for i := range spec.Members {
		orDefault(&spec.Members[i].Role, v1alpha1.RoleService)
	}
	strategyDefaults(spec)
	deadlineDefaults(&spec.Deadlines)
	orDefault(&spec.HistoryLimit, 10)
	orDefault(&spec.ServiceAccountName, v1alpha1.DefaultServiceAccount)
	return stack
}

func sourceDefaults(spec *v1alpha1.StackSpec) {
	if spec.Source.Inline == nil {
		orDefault(&spec.Source.Git.Ref, v1alpha1.GitRef{Branch: "main"})
		orDefault(&spec.Source.Git.Path, ".")
	}
	orDefault(&spec.Start.When, v1alpha1.StartManual)
	durationDefault(&spec.Start.Interval, time.Minute)
}

func slotDefaults(stack *v1alpha1.Stack) {
	if len(stack.Spec.Slots) > 0 {
		return
	}
	for _, name := range DefaultSlots {
		stack.Spec.Slots = append(stack.Spec.Slots, v1alpha1.Slot{Name: name, Namespace: stack.Namespace + "-" + name})
	}
}

func entryDefaults(e *v1alpha1.Entry) {
	if e.InsertRules == nil {
		yes := true
		e.InsertRules = &yes
	}
	orDefault(&e.RequireEvidence, v1alpha1.EvidenceServed)
	if e.Preview != nil {
		orDefault(&e.Preview.BetweenReleases, v1alpha1.BetweenLive)
	}
}

func strategyDefaults(spec *v1alpha1.StackSpec) {
	orDefault(&spec.Strategy.BlueGreen.Promotion, v1alpha1.PromotionManual)
	orDefault(&spec.Strategy.BlueGreen.Capacity, v1alpha1.CapacityWarn)
	durationDefault(&spec.Strategy.BlueGreen.KeepPrevious.For, 10*time.Minute)
	durationDefault(&spec.Sessions.DrainTimeout, time.Minute)
	orDefault(&spec.Queue.Policy, v1alpha1.QueueWait)
}

func deadlineDefaults(d *v1alpha1.Deadlines) {
	durationDefault(&d.Render, 2*time.Minute)
	durationDefault(&d.Deploy, 10*time.Minute)
	durationDefault(&d.Check, 10*time.Minute)
	durationDefault(&d.Switch, 5*time.Minute)
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func durationDefault(field **metav1.Duration, value time.Duration) {
	if *field == nil {
		*field = &metav1.Duration{Duration: value}
	}
}
