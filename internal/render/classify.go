package render

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// rule refuses objects that must not be in a slot. wrong says what is wrong with one and what to do; empty where nothing
// is.
type rule struct {
	reason string
	wrong  func(o object, slot v1alpha1.Slot) string
}

// rules in order: of several that an object breaks, the first is told.
var rules = []rule{
	{v1alpha1.ReasonHelmHook, hook},
	{v1alpha1.ReasonClusterScoped, clusterScoped},
	{v1alpha1.ReasonForeignNamespace, foreignNamespace},
	{v1alpha1.ReasonExposesSlot, exposingKind},
	{v1alpha1.ReasonExposesSlot, exposingService},
	{v1alpha1.ReasonExposesSlot, externalDNS},
	{v1alpha1.ReasonExposesSlot, hostNetwork},
	{v1alpha1.ReasonVolume, volume},
	{v1alpha1.ReasonUnsupportedKind, serviceAccountToken},
	{v1alpha1.ReasonUnsupportedKind, loosePods},
	{v1alpha1.ReasonUnsupportedKind, notContent},
}

// maxWrong is how many objects are named when a render is refused.
const maxWrong = 5

// classify refuses what would leak out of a slot, fork data, or is not Lockstep's to apply. The reason is that of the
// first object; the message names more of them.
func classify(objects []object, slot v1alpha1.Slot) error {
	var reason string
	var wrong []string
	for _, o := range objects {
		r, why := broken(o, slot)
		if why == "" {
			continue
		}
		if reason == "" {
			reason = r
		}
		wrong = append(wrong, fmt.Sprintf("%s %s", o, why))
	}
	if wrong == nil {
		return nil
	}
	if more := len(wrong) - maxWrong; more > 0 {
		wrong = append(wrong[:maxWrong], fmt.Sprintf("and %d more objects", more))
	}
	return refuse(reason, "slot %s: %s", slot.Name, strings.Join(wrong, ". "))
}

func broken(o object, slot v1alpha1.Slot) (reason, why string) {
	for _, rule := range rules {
		if why := rule.wrong(o, slot); why != "" {
			return rule.reason, why
		}
	}
	return "", ""
}

// ignoring is the way out that every refusal offers.
func ignoring(o object) string {
	return fmt.Sprintf("list {kind: %s, name: %s} under spec.ignore to leave it out", o.GetKind(), o.GetName())
}

func hook(o object, _ v1alpha1.Slot) string {
	if hooks := hooksOf(o); hooks != nil {
		return fmt.Sprintf("is a Helm hook (%s), and Lockstep runs none; make it a Job or a plain object of the stack by removing the annotation %s, or %s", strings.Join(hooks, ", "), annotationHook, ignoring(o))
	}
	return ""
}

func clusterScoped(o object, _ v1alpha1.Slot) string {
	if slices.Contains(clusterKinds[groupOf(o.Unstructured)], o.GetKind()) {
		return "belongs to the whole cluster, so all slots would share it; install it apart from the stack, and " + ignoring(o)
	}
	return ""
}

func foreignNamespace(o object, slot v1alpha1.Slot) string {
	if namespace := o.GetNamespace(); namespace != "" && namespace != slot.Namespace {
		return fmt.Sprintf("is for namespace %s, and the slot is namespace %s; remove metadata.namespace (in a chart: use .Release.Namespace), or %s", namespace, slot.Namespace, ignoring(o))
	}
	return ""
}

func exposingKind(o object, _ v1alpha1.Slot) string {
	kinds, known := exposingKinds[groupOf(o.Unstructured)]
	if !known || !kinds.has(o.GetKind()) {
		return ""
	}
	return "leads users into the slot past the entries of the Stack, live or not; make the route an entry (spec.entries), and " + ignoring(o)
}

func exposingService(o object, _ v1alpha1.Slot) string {
	if !isService(o.Unstructured) {
		return ""
	}
	spec := child(o.Object, "spec")
	if kind := spec["type"]; kind == "LoadBalancer" || kind == "NodePort" {
		return fmt.Sprintf("has type %v, which leads users into the slot past the entries of the Stack; set type ClusterIP, or %s", kind, ignoring(o))
	}
	if addresses, _ := spec["externalIPs"].([]any); len(addresses) > 0 {
		return "has externalIPs, which lead users into the slot past the entries of the Stack; remove them, or " + ignoring(o)
	}
	return ""
}

func externalDNS(o object, _ v1alpha1.Slot) string {
	for name := range o.GetAnnotations() {
		if strings.HasPrefix(name, "external-dns.alpha.kubernetes.io/") {
			return fmt.Sprintf("has the annotation %s, so that every slot would claim the same DNS name; remove it (the name belongs to the route of the entry), or %s", name, ignoring(o))
		}
	}
	return ""
}

func hostNetwork(o object, _ v1alpha1.Slot) string {
	pod := podSpec(o.Unstructured)
	if pod["hostNetwork"] == true {
		return "uses hostNetwork, so that its ports are those of the node and not of the slot; remove it, or " + ignoring(o)
	}
	for _, container := range containersOf(pod) {
		ports, _ := container["ports"].([]any)
		for _, port := range ports {
			if fields, _ := port.(map[string]any); fields["hostPort"] != nil && fields["hostPort"] != int64(0) {
				return fmt.Sprintf("takes hostPort %v of the node in container %v, which only one slot can have; remove hostPort, or %s", fields["hostPort"], container["name"], ignoring(o))
			}
		}
	}
	return ""
}

func volume(o object, _ v1alpha1.Slot) string {
	if groupOf(o.Unstructured) == "" && o.GetKind() == "PersistentVolumeClaim" {
		return "is a volume of its own in every slot: data would fork, and be lost with the slot; keep data outside the slots, and " + ignoring(o)
	}
	claims, _ := child(o.Object, "spec")["volumeClaimTemplates"].([]any)
	if isWorkload(o.Unstructured) && o.GetKind() == kindStatefulSet && len(claims) > 0 {
		return "has volumeClaimTemplates, a volume of its own in every slot: data would fork, and be lost with the slot; deploy it apart from the stack, and " + ignoring(o)
	}
	return ""
}

func serviceAccountToken(o object, _ v1alpha1.Slot) string {
	if groupOf(o.Unstructured) == "" && o.GetKind() == "Secret" && o.Object["type"] == "kubernetes.io/service-account-token" {
		return "would be filled with a token that never expires; use a projected token in the Pod instead, or " + ignoring(o)
	}
	return ""
}

func loosePods(o object, _ v1alpha1.Slot) string {
	group, kind := groupOf(o.Unstructured), o.GetKind()
	loose := group == "" && (kind == "Pod" || kind == "ReplicationController") || group == "apps" && kind == "ReplicaSet"
	rollout := group == "argoproj.io" && kind == "Rollout"
	if loose || rollout {
		return "makes Pods that Lockstep cannot tell apart by release; make it a Deployment, StatefulSet, DaemonSet, Job or CronJob, or " + ignoring(o)
	}
	return ""
}

// notContent finds what may lie beside manifests in a repository, and is not meant for a slot.
func notContent(o object, _ v1alpha1.Slot) string {
	switch groupOf(o.Unstructured) {
	case v1alpha1.Group:
		return "says how Lockstep releases, and is not released itself; move it out of source.git.path, or " + ignoring(o)
	case "kustomize.config.k8s.io":
		return "is for Kustomize, and not for a slot; set source.kustomize to the folder that it lies in, or move it out of source.git.path"
	}
	return ""
}

// podSpec of a workload; nil for other objects.
func podSpec(o *unstructured.Unstructured) map[string]any {
	if !isWorkload(o) {
		return nil
	}
	return child(podTemplate(o), "spec")
}

// containersOf lists the containers of a Pod, init containers first.
func containersOf(pod map[string]any) []map[string]any {
	return append(containersIn(pod, "initContainers"), containersIn(pod, "containers")...)
}

func containersIn(pod map[string]any, field string) []map[string]any {
	var result []map[string]any
	all, _ := pod[field].([]any)
	for _, one := range all {
		if container, ok := one.(map[string]any); ok {
			result = append(result, container)
		}
	}
	return result
}
