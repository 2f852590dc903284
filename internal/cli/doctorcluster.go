package cli

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/config"
)

const installRemedy = "kubectl lockstep install"

// oldestMinor is the first 1.x that serves what the admission policy needs.
const oldestMinor = 30

func checkServer(c *Cluster) check {
	d, err := discovery.NewDiscoveryClientForConfig(c.Config)
	if err != nil {
		return bad("kubernetes", oneLine(err), "check --context")
	}
	v, err := d.ServerVersion()
	if err != nil {
		return bad("kubernetes", oneLine(explain(err)), "check --context and the network")
	}
	minor, err := strconv.Atoi(strings.TrimRight(v.Minor, "+"))
	if err == nil && v.Major == "1" && minor < oldestMinor {
		return bad("kubernetes", "the cluster runs "+v.GitVersion+", which has no ValidatingAdmissionPolicy", fmt.Sprintf("bring the cluster to 1.%d or newer; until then nothing but abort counts", oldestMinor))
	}
	return good("kubernetes", "%s", v.GitVersion)
}

func checkKinds(ctx context.Context, c *Cluster) []check {
	shipped, err := config.CRDs()
	if err != nil {
		return []check{unknown("kinds", err)}
	}
	var checks []check
	for _, o := range shipped {
		checks = append(checks, checkKind(ctx, c, o))
	}
	return checks
}

func checkKind(ctx context.Context, c *Cluster, shipped *unstructured.Unstructured) check {
	name := "kind " + shipped.GetName()
	found := &apiextensionsv1.CustomResourceDefinition{}
	err := c.Get(ctx, client.ObjectKey{Name: shipped.GetName()}, found)
	switch {
	case gone(err):
		return bad(name, "the cluster does not know it", installRemedy)
	case apierrors.IsForbidden(err):
		return checkKindByUse(name, shipped, c)
	case err != nil:
		return unknown(name, err)
	}
	for _, cond := range found.Status.Conditions {
		if cond.Type == apiextensionsv1.Established && cond.Status != apiextensionsv1.ConditionTrue {
			return bad(name, "it is not established: "+cond.Message, installRemedy)
		}
	}
	var served []string
	for _, v := range found.Spec.Versions {
		if v.Served {
			served = append(served, v.Name)
		}
	}
	if !sameSchema(shipped, found) {
		return doubtful(name, fmt.Sprintf("%s, and other fields than this command knows", strings.Join(served, ", ")), "use the kubectl-lockstep of the controller's version, or upgrade: "+installRemedy)
	}
	return good(name, "%s, as shipped", strings.Join(served, ", "))
}

// checkKindByUse is for those who may not read definitions: a kind that is mapped is there.
func checkKindByUse(name string, shipped *unstructured.Unstructured, c *Cluster) check {
	group, _, _ := unstructured.NestedString(shipped.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(shipped.Object, "spec", "names", "kind")
	_, err := c.RESTMapper().RESTMappings(schemaKind(group, kind))
	switch {
	case meta.IsNoMatchError(err):
		return bad(name, "the cluster does not know it", installRemedy)
	case err != nil:
		return unknown(name, err)
	}
	return good(name, "the cluster serves it (you may not read its definition)")
}

func sameSchema(shipped *unstructured.Unstructured, found *apiextensionsv1.CustomResourceDefinition) bool {
	ours, err := crdOf(shipped)
	if err != nil || len(found.Spec.Versions) != len(ours.Spec.Versions) {
		return false
	}
	for i := range ours.Spec.Versions {
		if !reflect.DeepEqual(ours.Spec.Versions[i].Schema, found.Spec.Versions[i].Schema) {
			return false
		}
	}
	return true
}

func checkController(ctx context.Context, c *Cluster) check {
	d, err := c.controller(ctx)
	switch {
	case apierrors.IsForbidden(err):
		return doubtful("controller", "you may not look for it", "ask who administers the cluster whether Deployment "+config.Controller+" runs")
	case err != nil:
		return unknown("controller", err)
	case d == nil:
		return bad("controller", "there is none", installRemedy)
	}
	if d.Spec.Replicas != nil && *d.Spec.Replicas == 0 {
		return bad("controller", fmt.Sprintf("Deployment %s in %s is scaled to zero; nothing is released, and no decision is answered, meanwhile", d.Name, d.Namespace),
			fmt.Sprintf("kubectl -n %s scale deployment %s --replicas=1", d.Namespace, d.Name))
	}
	if ready, why := rolledOut(d); !ready {
		return bad("controller", why, fmt.Sprintf("kubectl -n %s describe deployment %s, and kubectl -n %s logs deployment/%s", d.Namespace, d.Name, d.Namespace, d.Name))
	}
	return good("controller", "%s in %s", d.Spec.Template.Spec.Containers[0].Image, d.Namespace)
}

func checkPolicy(ctx context.Context, c *Cluster) []check {
	shipped, err := config.Policy()
	if err != nil {
		return []check{unknown("policy", err)}
	}
	var checks []check
	for _, o := range shipped {
		checks = append(checks, checkPolicyObject(ctx, c, o))
	}
	return checks
}

func checkPolicyObject(ctx context.Context, c *Cluster, shipped *unstructured.Unstructured) check {
	name := map[string]string{"ValidatingAdmissionPolicy": "policy", "ValidatingAdmissionPolicyBinding": "policy binding"}[shipped.GetKind()]
	const without = "without it nothing but abort counts"
	found := &unstructured.Unstructured{}
	found.SetGroupVersionKind(shipped.GroupVersionKind())
	err := c.Get(ctx, client.ObjectKeyFromObject(shipped), found)
	switch {
	case gone(err), meta.IsNoMatchError(err):
		return bad(name, shipped.GetName()+" is missing; "+without, installRemedy)
	case err != nil:
		return unknown(name, err)
	case !within(shipped.Object["spec"], found.Object["spec"]) || loosened(found):
		return bad(name, shipped.GetName()+" is not as shipped, so that it vouches for no one; "+without, installRemedy)
	}
	return good(name, "%s is in force, as shipped", shipped.GetName())
}

// within reports whether everything that a says is said by b, which may say more: the API server fills in defaults.
func within(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		other, ok := b.(map[string]any)
		for k, v := range a {
			if !ok || !within(v, other[k]) {
				return false
			}
		}
		return true
	case []any:
		other, ok := b.([]any)
		if !ok || len(a) != len(other) {
			return false
		}
		for i := range a {
			if !within(a[i], other[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}

// loosened reports whether something was added to a policy or its binding that lets requests pass it by.
func loosened(o *unstructured.Unstructured) bool {
	for _, path := range [][]string{
		{"spec", "matchConditions"},
		{"spec", "paramKind"},
		{"spec", "paramRef"},
		{"spec", "matchResources", "excludeResourceRules"},
		{"spec", "matchResources", "resourceRules"},
		{"spec", "matchConstraints", "excludeResourceRules"},
		{"spec", "matchResources", "namespaceSelector", "matchLabels"},
		{"spec", "matchResources", "namespaceSelector", "matchExpressions"},
		{"spec", "matchConstraints", "namespaceSelector", "matchLabels"},
		{"spec", "matchConstraints", "namespaceSelector", "matchExpressions"},
		{"spec", "matchConstraints", "objectSelector", "matchLabels"},
		{"spec", "matchConstraints", "objectSelector", "matchExpressions"},
		{"spec", "matchResources", "objectSelector", "matchLabels"},
		{"spec", "matchResources", "objectSelector", "matchExpressions"},
	} {
		if _, found, _ := unstructured.NestedFieldNoCopy(o.Object, path...); found {
			return true
		}
	}
	return false
}
