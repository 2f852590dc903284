package entry

import (
	"encoding/json"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// A service entry is one DNS name that leads to the backend in the live slot: a Service of type ExternalName. It has no
// rules, so that nothing of a dialect applies: no marker, no preview, no weights, no word of who follows it.

var serviceKind = schema.GroupVersionKind{Version: "v1", Kind: "Service"}

const externalName = "ExternalName"

// nowhereName never resolves (RFC 2606): callers get an error as long as nothing is live.
const nowhereName = "nothing-is-live." + markerDomain

func (s Spec) isService() bool { return s.Entry.Service != nil }

func writeService(s Spec, live *unstructured.Unstructured, intent v1alpha1.RouteIntent) (*unstructured.Unstructured, error) {
	if s.Adopted() {
		return editService(s, live, intent)
	}
	out := live.DeepCopy()
	if out == nil {
		out = &unstructured.Unstructured{Object: object{}}
		out.SetName(s.Key().Name)
		out.SetNamespace(s.Key().Namespace)
	}
	out.SetGroupVersionKind(serviceKind)
	spec := child(out.Object, "spec")
	if spec == nil || text(spec, "type") != externalName {
		spec = object{} // addresses of another type must go
	}
	spec["type"], spec["externalName"] = externalName, s.target(intent.Live)
	spec["ports"] = []any{object{"port": int64(s.Entry.Backend.Port), "targetPort": int64(s.Entry.Backend.Port), "protocol": "TCP"}}
	out.Object["spec"] = spec
	label(s, out)
	stamp(s, out, intent.Epoch)
	return out, nil
}

func (s Spec) target(slot string) string {
	if slot == "" {
		return nowhereName
	}
	domain := s.Entry.Service.ClusterDomain
	if domain == "" {
		domain = "cluster.local"
	}
	return strings.Join([]string{s.Entry.Backend.Service, s.namespaceOf(slot), "svc", domain}, ".")
}

// editService moves the namespace in the name that the team has given: its Service and its cluster domain stay. The
// labels are what tells Lockstep of a change.
func editService(s Spec, live *unstructured.Unstructured, intent v1alpha1.RouteIntent) (*unstructured.Unstructured, error) {
	if err := fitsService(s, live); err != nil {
		return nil, err
	}
	out := live.DeepCopy()
	spec := child(out.Object, "spec")
	if out.GetAnnotations()[v1alpha1.AnnotationOrigin] == "" {
		encoded, _ := json.Marshal(text(spec, "externalName")) // a string: it cannot fail
		annotate(out, v1alpha1.AnnotationOrigin, string(encoded))
	}
	if intent.Live == "" {
		var origin string
		if err := json.Unmarshal([]byte(out.GetAnnotations()[v1alpha1.AnnotationOrigin]), &origin); err != nil || origin == "" {
			return nil, refuse(v1alpha1.ReasonEntryInvalid,
				"%s: its annotation %s no longer says what its externalName was before Lockstep; point it by hand and remove the annotation",
				s.where(), v1alpha1.AnnotationOrigin)
		}
		spec["externalName"] = origin
	} else {
		parts := strings.Split(text(spec, "externalName"), ".")
		parts[1] = s.namespaceOf(intent.Live)
		spec["externalName"] = strings.Join(parts, ".")
	}
	label(s, out)
	stamp(s, out, intent.Epoch)
	return out, nil
}

// fitsService refuses a Service that cannot be moved by one name.
func fitsService(s Spec, live *unstructured.Unstructured) error {
	spec := child(live.Object, "spec")
	if kind := text(spec, "type"); kind != externalName {
		return refuse(v1alpha1.ReasonEntryInvalid,
			"%s is of type %q, and only an ExternalName can be moved between namespaces; name one that is, or leave out adopt: true and give another name to have one made",
			s.where(), kind)
	}
	if s.slotIn(namespaceIn(text(spec, "externalName"))) == "" {
		return refuse(v1alpha1.ReasonEntryInvalid,
			"%s leads to %q, which lies in no slot of Stack %s; point it at %s.<namespace>.svc.<cluster domain> in one of %s",
			s.where(), text(spec, "externalName"), s.Stack, s.Entry.Backend.Service, s.namespaces())
	}
	return fitsPorts(s, objects(spec, "ports"))
}

func fitsPorts(s Spec, ports []object) error {
	for _, port := range ports {
		if n, _ := number(port["port"]); n == int64(s.Entry.Backend.Port) {
			return nil
		}
	}
	if len(ports) == 0 {
		return nil
	}
	return refuse(v1alpha1.ReasonEntryInvalid,
		"%s does not list port %d of the backend, and an ExternalName cannot map ports: callers reach the backend at the port that they ask for; give Service %s in the manifests that port, and name it in entry %s, or use an httpRoute",
		s.where(), s.Entry.Backend.Port, s.Entry.Backend.Service, s.Entry.Name)
}

// namespaceIn reads service.namespace.svc and what may follow.
func namespaceIn(name string) string {
	if parts := strings.Split(name, "."); len(parts) > 2 && parts[2] == "svc" {
		return parts[1]
	}
	return ""
}

func readService(s Spec, live *unstructured.Unstructured) Observed {
	fence, _ := parseEpoch(live.GetAnnotations()[v1alpha1.AnnotationEpoch])
	o := Observed{
		Found:           true,
		ResourceVersion: live.GetResourceVersion(),
		Generation:      live.GetGeneration(),
		Owner:           live.GetAnnotations()[v1alpha1.AnnotationOwner],
		Epoch:           fence,
		FenceEpoch:      fence,
		Weights:         s.none(),
		Consistent:      true,
		EditedBy:        editedBy(live),
	}
	spec := child(live.Object, "spec")
	name := text(spec, "externalName")
	slot := s.slotIn(namespaceIn(name))
	if text(spec, "type") != externalName {
		return o
	}
	if i := slices.IndexFunc(o.Weights, func(w v1alpha1.SlotWeight) bool { return slot != "" && w.Slot == slot }); i >= 0 {
		o.Weights[i].Weight = 100
	} else if name != "" && name != nowhereName {
		o.ForeignHosts = []string{name}
	}
	return o
}

// differsService is how a Service does not say what it was written to say, beyond what both Observed tell.
func differsService(live, want *unstructured.Unstructured) []string {
	is, shall := text(live.Object, "spec", "externalName"), text(want.Object, "spec", "externalName")
	if is == shall {
		return nil
	}
	return []string{"it leads to " + is + " instead of " + shall}
}
