package observe

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// ShippedPolicy finds the admission policy for Decisions among the manifests that ship with Lockstep.
func ShippedPolicy(manifests []*unstructured.Unstructured) (*admissionv1.ValidatingAdmissionPolicy, error) {
	for _, u := range manifests {
		if u.GetKind() == "ValidatingAdmissionPolicy" && u.GetName() == v1alpha1.DecisionPolicy {
			return decode[admissionv1.ValidatingAdmissionPolicy](u)
		}
	}
	return nil, fmt.Errorf("there is no ValidatingAdmissionPolicy %s among the manifests", v1alpha1.DecisionPolicy)
}

// readPolicy finds out since when the admission policy has vouched for who made a Decision.
func (p *pass) readPolicy(ctx context.Context) error {
	policy, binding := &admissionv1.ValidatingAdmissionPolicy{}, &admissionv1.ValidatingAdmissionPolicyBinding{}
	var policyFound, bindingFound bool
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { policyFound, err = p.find(ctx, policy); return err })
	g.Go(func() (err error) { bindingFound, err = p.find(ctx, binding); return err })
	if err := g.Wait(); err != nil {
		return fmt.Errorf("reading the admission policy %s: %w", v1alpha1.DecisionPolicy, err)
	}
	if policyFound && bindingFound {
		p.snapshot.Policy = policySince(p.Policy, policy, binding)
	}
	return nil
}

// find reports false where the policy is missing, or cannot be read by anyone's leave: it does not count then.
func (p *pass) find(ctx context.Context, o client.Object) (bool, error) {
	err := p.Live.Get(ctx, types.NamespacedName{Name: v1alpha1.DecisionPolicy}, o)
	if err != nil && lasting(err) {
		return false, nil
	}
	return err == nil, err
}

// policySince is nil where the policy is not the one that ships, does not refuse, or is not in force everywhere.
func policySince(shipped, policy *admissionv1.ValidatingAdmissionPolicy, binding *admissionv1.ValidatingAdmissionPolicyBinding) *time.Time {
	switch {
	case shipped == nil || !samePolicy(shipped.Spec, policy.Spec):
		return nil
	case policy.DeletionTimestamp != nil || binding.DeletionTimestamp != nil:
		return nil
	case policy.Status.ObservedGeneration < policy.Generation:
		return nil
	case !bindsEverywhere(policy.Name, binding.Spec):
		return nil
	}
	since := lastWritten(policy)
	if at := lastWritten(binding); at.After(since) {
		since = at
	}
	return &since
}

// lastWritten is when an object was made, or its spec written last: what was altered and put back vouches only from then on.
func lastWritten(o client.Object) time.Time {
	last := o.GetCreationTimestamp().Time
	for _, f := range o.GetManagedFields() {
		if f.Subresource == "" && f.Time != nil && f.Time.After(last) {
			last = f.Time.Time
		}
	}
	return last
}

func bindsEverywhere(policy string, binding admissionv1.ValidatingAdmissionPolicyBindingSpec) bool {
	return binding.PolicyName == policy &&
		slices.Contains(binding.ValidationActions, admissionv1.Deny) &&
		binding.ParamRef == nil &&
		equality.Semantic.DeepEqual(matchDefaults(binding.MatchResources), matchDefaults(nil))
}

func samePolicy(a, b admissionv1.ValidatingAdmissionPolicySpec) bool {
	return equality.Semantic.DeepEqual(policyDefaults(a), policyDefaults(b))
}

// policyDefaults fills in what the API server does, so that a manifest can be compared with what became of it.
func policyDefaults(spec admissionv1.ValidatingAdmissionPolicySpec) *admissionv1.ValidatingAdmissionPolicySpec {
	out := spec.DeepCopy()
	pointerDefault(&out.FailurePolicy, admissionv1.Fail)
	out.MatchConstraints = matchDefaults(out.MatchConstraints)
	return out
}

func matchDefaults(in *admissionv1.MatchResources) *admissionv1.MatchResources {
	out := &admissionv1.MatchResources{}
	if in != nil {
		out = in.DeepCopy()
	}
	pointerDefault(&out.MatchPolicy, admissionv1.Equivalent)
	pointerDefault(&out.NamespaceSelector, metav1.LabelSelector{})
	pointerDefault(&out.ObjectSelector, metav1.LabelSelector{})
	for i := range out.ResourceRules {
		pointerDefault(&out.ResourceRules[i].Scope, admissionv1.AllScopes)
	}
	return out
}

func pointerDefault[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}
