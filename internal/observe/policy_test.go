package observe

import (
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/config"
)

var (
	monday  = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	tuesday = monday.Add(24 * time.Hour)
)

func shippedPolicy(t *testing.T) (*admissionv1.ValidatingAdmissionPolicy, *admissionv1.ValidatingAdmissionPolicyBinding) {
	t.Helper()
	manifests, err := config.Policy()
	if err != nil {
		t.Fatal(err)
	}
	policy, err := ShippedPolicy(manifests)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range manifests {
		if u.GetKind() == "ValidatingAdmissionPolicyBinding" {
			binding, err := decode[admissionv1.ValidatingAdmissionPolicyBinding](u)
			if err != nil {
				t.Fatal(err)
			}
			return policy, binding
		}
	}
	t.Fatal("there is no binding among the manifests")
	return nil, nil
}

func TestPolicyIsInForceOnlyAsItShips(t *testing.T) {
	type (
		policyType  = admissionv1.ValidatingAdmissionPolicy
		bindingType = admissionv1.ValidatingAdmissionPolicyBinding
	)
	tests := []struct {
		name   string
		change func(*policyType, *bindingType)
		want   time.Time
	}{
		{"as it ships", func(*policyType, *bindingType) {}, tuesday},
		{"with what the API server fills in", func(p *policyType, b *bindingType) {
			p.Spec = *policyDefaults(p.Spec)
			b.Spec.MatchResources = matchDefaults(nil)
		}, tuesday},
		{"bound before it was made", func(p *policyType, b *bindingType) {
			p.CreationTimestamp, b.CreationTimestamp = b.CreationTimestamp, p.CreationTimestamp
		}, tuesday},
		{"altered, and put back since", func(p *policyType, _ *bindingType) {
			at := metav1.NewTime(tuesday.Add(time.Hour))
			p.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "someone", Time: &at}}
		}, tuesday.Add(time.Hour)},
		{"whose status was written since", func(p *policyType, _ *bindingType) {
			at := metav1.NewTime(tuesday.Add(time.Hour))
			p.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kube-controller-manager", Subresource: "status", Time: &at}}
		}, tuesday},
		{"with an expression that always holds", func(p *policyType, _ *bindingType) {
			p.Spec.Validations[0].Expression = "true"
		}, time.Time{}},
		{"with one validation less", func(p *policyType, _ *bindingType) {
			p.Spec.Validations = p.Spec.Validations[:1]
		}, time.Time{}},
		{"for other resources", func(p *policyType, _ *bindingType) {
			p.Spec.MatchConstraints.ResourceRules[0].Resources = []string{"stacks"}
		}, time.Time{}},
		{"with a condition", func(p *policyType, _ *bindingType) {
			p.Spec.MatchConditions = []admissionv1.MatchCondition{{Name: "never", Expression: "false"}}
		}, time.Time{}},
		{"that lets through what it cannot evaluate", func(p *policyType, _ *bindingType) {
			ignore := admissionv1.Ignore
			p.Spec.FailurePolicy = &ignore
		}, time.Time{}},
		{"that is being deleted", func(p *policyType, _ *bindingType) {
			p.DeletionTimestamp = &metav1.Time{Time: tuesday}
		}, time.Time{}},
		{"that the API server has not compiled yet", func(p *policyType, _ *bindingType) {
			p.Generation = 2
		}, time.Time{}},
		{"that only warns", func(_ *policyType, b *bindingType) {
			b.Spec.ValidationActions = []admissionv1.ValidationAction{admissionv1.Warn}
		}, time.Time{}},
		{"bound in some namespaces only", func(_ *policyType, b *bindingType) {
			b.Spec.MatchResources = &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}}
		}, time.Time{}},
		{"whose binding is for another one", func(_ *policyType, b *bindingType) {
			b.Spec.PolicyName = "other"
		}, time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			shipped, binding := shippedPolicy(t)
			policy := shipped.DeepCopy()
			policy.Generation, policy.Status.ObservedGeneration = 1, 1
			policy.CreationTimestamp, binding.CreationTimestamp = metav1.NewTime(monday), metav1.NewTime(tuesday)
			tt.change(policy, binding)

			since := policySince(shipped, policy, binding)

			switch {
			case tt.want.IsZero() && since != nil:
				t.Errorf("it counts since %v, want not at all", since)
			case !tt.want.IsZero() && (since == nil || !since.Equal(tt.want)):
				t.Errorf("it counts since %v, want %v", since, tt.want)
			}
		})
	}
}

// TestPolicyIsNotTakenFromWhatIsWatched: a watch that may not list any more keeps what it had, and would vouch for ever.
func TestPolicyIsNotTakenFromWhatIsWatched(t *testing.T) {
	shipped, binding := shippedPolicy(t)
	inForce := []client.Object{shipped, binding}
	for name, live := range map[string][]client.Object{"in force": inForce, "deleted": nil} {
		t.Run(name, func(t *testing.T) {
			p := newPass(New(Options{
				Live: cluster(t, interceptor.Funcs{}, copies(live)...), Watched: cluster(t, interceptor.Funcs{}, copies(inForce)...), Policy: shipped,
			}), smallestStack())
			if err := p.readPolicy(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := p.snapshot.Policy != nil; got != (live != nil) {
				t.Errorf("in force: %v", got)
			}
		})
	}
}

func copies(objects []client.Object) []client.Object {
	var all []client.Object
	for _, o := range objects {
		if c, ok := o.DeepCopyObject().(client.Object); ok {
			all = append(all, c)
		}
	}
	return all
}
