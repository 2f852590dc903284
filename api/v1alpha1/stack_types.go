package v1alpha1

import (
	"cmp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// Stack is what is released together, and how.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=lockstep
// +kubebuilder:printcolumn:name="Live",type=string,JSONPath=`.status.units[0].liveSlot`
// +kubebuilder:printcolumn:name="Release",type=string,JSONPath=`.status.units[0].liveRelease`
// +kubebuilder:printcolumn:name="Active",type=string,JSONPath=`.status.units[0].activeRelease`
// +kubebuilder:printcolumn:name="Step",type=string,JSONPath=`.status.units[0].step.kind`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 40",message="a Stack's name may have 40 characters at most: slots and releases are named after it; choose a shorter name"
// +kubebuilder:ac:generate=true
// +genclient
type Stack struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what is released, from where, to which slots, through which entries.
	// +required
	Spec StackSpec `json:"spec"`
	// status is what Lockstep last observed and what it intends next.
	// +optional
	Status StackStatus `json:"status,omitempty"`
}

// StackList is a list of Stacks.
//
// +kubebuilder:object:root=true
type StackList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Stack `json:"items"`
}

// StackSpec is the team's part of a Stack. A source and an entry are enough.
//
// +kubebuilder:validation:XValidation:rule="!has(self.members) || self.members.all(m, !has(m.dependsOn) || m.dependsOn.all(d, d.name != m.name))",message="a member cannot depend on itself; remove it from its own dependsOn"
// +kubebuilder:validation:XValidation:rule="!has(self.slots) || self.slots.all(s, self.slots.exists_one(t, t.__namespace__ == s.__namespace__))",message="two slots name the same namespace; give each slot a namespace of its own"
// +kubebuilder:validation:XValidation:rule="!has(self.source.inline) || !has(self.start) || !has(self.start.when) || self.start.when == 'Manual'",message="start.when: Commit watches a repository, and source.inline is none; set start.when: Manual"
type StackSpec struct {
	// source is where the manifests of the whole stack come from.
	// +required
	Source Source `json:"source"`
	// start says what starts a release. Default: Manual.
	// +optional
	// +kubebuilder:default={}
	Start Start `json:"start,omitempty"`
	// slots are the places that hold one complete copy of the stack each. Default: blue and green, in namespaces named
	// <namespace>-blue and <namespace>-green after the Stack's own namespace.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=2
	// +kubebuilder:validation:MaxItems=8
	Slots []Slot `json:"slots,omitempty"`
	// entries are the ways in for users. With several, they are switched one after the other, in the order of this list:
	// between the first write and the last lies a window, which the status measures.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Entries []Entry `json:"entries"`
	// members says of workloads what cannot be seen in their manifests. Workloads that are not listed are members too,
	// with role Service.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Members []Member `json:"members,omitempty"`
	// ignore lists rendered objects that Lockstep leaves out of the slots. Objects that would leak out of a slot
	// (Ingress, routes, LoadBalancers, cluster-scoped objects, …) are refused until they are listed here.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	Ignore []ObjectPattern `json:"ignore,omitempty"`
	// sessions says how users who are on the old slot are treated.
	// +optional
	// +kubebuilder:default={}
	Sessions Sessions `json:"sessions,omitempty"`
	// strategy says how users are moved to a new release. Default: blueGreen, promoted manually.
	// +optional
	// +kubebuilder:default={}
	Strategy Strategy `json:"strategy,omitempty"`
	// deadlines bounds how long each step of a release may take before the release fails and users stay where they are.
	// +optional
	// +kubebuilder:default={}
	Deadlines Deadlines `json:"deadlines,omitempty"`
	// queue says what a new release does while another one is active.
	// +optional
	// +kubebuilder:default={}
	Queue Queue `json:"queue,omitempty"`
	// suspend keeps new releases from starting, those of new commits included. What is under way goes on; abort and
	// rollback work as ever.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
	// historyLimit is the number of ended Releases that are kept, with their content. The live, the kept and the watched
	// one are always kept.
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	HistoryLimit int32 `json:"historyLimit,omitempty"`
	// serviceAccountName is the ServiceAccount, in the Stack's namespace, with whose rights content and routes are
	// applied and Secrets are read.
	// +optional
	// +kubebuilder:default="lockstep-releaser"
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:MinLength=1
	ServiceAccountName string `json:"serviceAccountName,omitempty"`
}

// Source is where the manifests come from: a path in a Git repository, rendered as a Helm chart, with Kustomize or as plain
// YAML; or the Stack itself.
//
// +kubebuilder:validation:XValidation:rule="has(self.git) != has(self.inline)",message="say where the manifests come from: exactly one of source.git and source.inline must be set"
// +kubebuilder:validation:XValidation:rule="!has(self.inline) || !(has(self.helm) || has(self.kustomize) || has(self.plain))",message="source.inline holds objects, which are not rendered: remove source.helm, source.kustomize and source.plain"
// +kubebuilder:validation:XValidation:rule="has(self.inline) || (has(self.helm) ? 1 : 0) + (has(self.kustomize) ? 1 : 0) + (has(self.plain) ? 1 : 0) == 1",message="say how the source is rendered: exactly one of source.helm, source.kustomize and source.plain must be set"
type Source struct {
	// git is the repository that holds the manifests.
	// +optional
	Git GitSource `json:"git,omitzero"`
	// inline are the objects themselves, where there is no repository. The variables $(slot), $(stack) and $(release) are
	// replaced in all of their text. The whole Stack must fit into one object of the API server: keep it below 256 KiB.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=200
	// +kubebuilder:validation:items:XEmbeddedResource
	// +kubebuilder:validation:items:XPreserveUnknownFields
	Inline []runtime.RawExtension `json:"inline,omitempty"`
	// helm renders the path as a Helm chart; dependencies at file:// are taken from the same checkout.
	// +optional
	Helm *HelmSource `json:"helm,omitempty"`
	// kustomize renders the path as `kustomize build` would; bases are taken from the same checkout.
	// +optional
	Kustomize *KustomizeSource `json:"kustomize,omitempty"`
	// plain reads every .yaml and .yml file below the path.
	// +optional
	Plain *PlainSource `json:"plain,omitempty"`
}

// GitSource names a path in a Git repository.
type GitSource struct {
	// url of the repository: https, http, ssh (ssh://git@host/path, or git@host:path) or file.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^(https?|ssh|file)://|^[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:[^/]')",message="source.git.url must begin with https://, http://, ssh:// or file://, or be of the form git@host:path"
	URL string `json:"url"`
	// ref is the branch, tag or commit that a release takes when it names no revision of its own. Default: branch main.
	// +optional
	// +kubebuilder:default={branch: main}
	Ref GitRef `json:"ref,omitempty"`
	// path of the chart or of the manifests in the repository. Default: its root.
	// +optional
	// +kubebuilder:default="."
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/') && !self.split('/').exists(p, p == '..')",message="source.git.path must lie inside the repository: no leading / and no .."
	Path string `json:"path,omitempty"`
	// secretRef names a Secret in the Stack's namespace. For http and https it has the keys username and password (or a
	// token as password); for ssh, ssh-privatekey and known_hosts, and passphrase where the key has one. It is the only
	// Secret that is read for the source.
	// +optional
	SecretRef *LocalRef `json:"secretRef,omitempty"`
}

// GitRef is a branch, a tag or a commit.
//
// +kubebuilder:validation:XValidation:rule="(has(self.branch) ? 1 : 0) + (has(self.tag) ? 1 : 0) + (has(self.commit) ? 1 : 0) == 1",message="source.git.ref takes exactly one of branch, tag and commit"
type GitRef struct {
	// branch to follow.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:MinLength=1
	Branch string `json:"branch,omitempty"`
	// tag to take.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:MinLength=1
	Tag string `json:"tag,omitempty"`
	// commit to take, as its full hash.
	// +optional
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{40}$`
	Commit string `json:"commit,omitempty"`
}

// HelmSource renders a Helm chart, as `helm template` would, without a cluster.
type HelmSource struct {
	// valuesFiles are applied in order, as `helm --values` does. Paths are relative to source.git.path. The variables
	// $(slot), $(stack) and $(release) are replaced in each.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=1024
	ValuesFiles []string `json:"valuesFiles,omitempty"`
	// releaseName is the name of the Helm release as templates see it. Default: the Stack's name.
	// +optional
	// +kubebuilder:validation:MaxLength=53
	ReleaseName string `json:"releaseName,omitempty"`
}

// KustomizeSource renders a kustomization, as `kustomize build` would, without plugins and without a network.
type KustomizeSource struct {
	// path of the kustomization, relative to source.git.path: an overlay, such as overlays/$(slot). The variables
	// $(slot), $(stack) and $(release) are replaced in it; in the kustomization itself nothing is. Default: source.git.path
	// itself.
	// +optional
	// +kubebuilder:default="."
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/')",message="source.kustomize.path is relative to source.git.path: no leading /"
	Path string `json:"path,omitempty"`
}

// PlainSource reads plain YAML.
type PlainSource struct{}

// LocalRef names an object in the Stack's own namespace.
type LocalRef struct {
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// StartWhen says what starts a release.
// +kubebuilder:validation:Enum=Manual;Commit;Tag
type StartWhen string

// What starts a release.
const (
	// StartManual waits for a Release that a person or a pipeline makes.
	StartManual StartWhen = "Manual"
	// StartCommit makes a Release when a new commit changes the path or a file:// dependency of it.
	StartCommit StartWhen = "Commit"
	// StartTag makes a Release when a tag that matches the pattern is the newest version.
	StartTag StartWhen = "Tag"
)

// Start says what starts a release.
//
// +kubebuilder:validation:XValidation:rule="(has(self.when) && self.when == 'Tag') == has(self.pattern)",message="a pattern belongs to when: Tag: give both, or neither"
type Start struct {
	// when says what starts a release: Manual (kubectl lockstep release, or a Release that a pipeline makes), Commit (a
	// change of the path, or of a chart that it depends on at file://) or Tag (a tag that matches the pattern, and is the
	// newest version of those that do).
	// +optional
	// +kubebuilder:default=Manual
	When StartWhen `json:"when,omitempty"`
	// pattern that tags must match as a whole, as a Go regular expression. The group "version" is what is compared, as a
	// semantic version (default: the whole tag); the group "slot" names the slot that the release is deployed to. Tags that
	// hold no version start nothing. Example: v(?P<version>.*)-(?P<slot>blue|green)
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Pattern string `json:"pattern,omitempty"`
	// interval at which the repository is asked for its newest commit or tag, where when is Commit or Tag.
	// +optional
	// +kubebuilder:default="1m"
	Interval *metav1.Duration `json:"interval,omitempty"`
}

// Slot is a place that holds one complete copy of the stack's members, of one release.
type Slot struct {
	// name of the slot. Code never knows how many there are, nor "the other one".
	// +required
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=20
	Name string `json:"name"`
	// namespace of the slot. One that does not exist is made if its name begins with the Stack's namespace and a dash;
	// any other must exist and carry the labels lockstep.dev/stack and lockstep.dev/stack-namespace of this Stack.
	// +required
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
}

// Entry is a way in for users: exactly one of virtualService, httpRoute and service.
//
// +kubebuilder:validation:XValidation:rule="!has(self.insertRules) || self.insertRules || (has(self.requireEvidence) && self.requireEvidence == 'Accepted')",message="without inserted rules the gateways cannot be asked: set requireEvidence: Accepted beside insertRules: false"
// +kubebuilder:validation:XValidation:rule="(has(self.virtualService) ? 1 : 0) + (has(self.httpRoute) ? 1 : 0) + (has(self.service) ? 1 : 0) == 1",message="an entry takes exactly one of virtualService, httpRoute and service"
// +kubebuilder:validation:XValidation:rule="!has(self.service) || (has(self.requireEvidence) && self.requireEvidence == 'Written')",message="callers of an ExternalName Service cannot be asked where they are (DNS caches and open connections ignore it): set requireEvidence: Written beside service, and a sessions.drainTimeout longer than DNS answers are kept, for the whole of which the old slot is left alone"
// +kubebuilder:validation:XValidation:rule="has(self.service) || !has(self.requireEvidence) || self.requireEvidence != 'Written'",message="requireEvidence: Written is for service entries alone; a route can be asked for more: use Served, or Accepted where its gateways cannot be asked"
// +kubebuilder:validation:XValidation:rule="!has(self.service) || !has(self.preview)",message="an ExternalName Service cannot tell testers from users: whoever calls through it meets the live slot; remove preview from this entry, or give testers an entry with a virtualService or an httpRoute"
// +kubebuilder:validation:XValidation:rule="!has(self.service) || !has(self.service.port) || self.service.port == self.backend.port",message="an ExternalName Service cannot map ports: callers must use the backend's own. Give the backend Service in the manifests the port that callers use, and name that in backend.port; or use an httpRoute"
// +kubebuilder:validation:XValidation:rule="!has(self.preview) || !has(self.preview.hostname) || !has(self.httpRoute) || has(self.httpRoute.parentRefs) || has(self.preview.parentRefs)",message="the preview's hostname gets an HTTPRoute of its own; say in preview.parentRefs at which Gateways, since the adopted route's are the team's to change"
// +kubebuilder:validation:XValidation:rule="!has(self.preview) || !has(self.preview.parentRefs) || (has(self.httpRoute) && has(self.preview.hostname))",message="preview.parentRefs belong to an httpRoute with preview.hostname; remove them"
// +kubebuilder:validation:XValidation:rule="!has(self.preview) || !has(self.preview.hostname) || !has(self.virtualService) || !has(self.insertRules) || self.insertRules",message="a preview by hostname needs a rule in the VirtualService: remove insertRules: false, or the hostname"
type Entry struct {
	// name of the entry.
	// +required
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=20
	Name string `json:"name"`
	// virtualService is an Istio VirtualService: made by Lockstep where hosts and gateways are given, adopted by name
	// where they are not.
	// +optional
	VirtualService *VirtualServiceEntry `json:"virtualService,omitempty"`
	// httpRoute is a Gateway API HTTPRoute: made by Lockstep where parentRefs are given, adopted by name where they are not.
	// +optional
	HTTPRoute *HTTPRouteEntry `json:"httpRoute,omitempty"`
	// service is a Service of type ExternalName, for callers inside the cluster: made by Lockstep, or adopted where adopt
	// is true. It leads to the backend in the live slot by a DNS name: evidence ends at Written.
	// +optional
	Service *ServiceEntry `json:"service,omitempty"`
	// backend is the Service, the same name in each slot, that users are sent to.
	// +required
	Backend Backend `json:"backend"`
	// preview says how testers reach a release before users do.
	// +optional
	Preview *Preview `json:"preview,omitempty"`
	// insertRules lets Lockstep insert rules named lockstep-… at the head of an adopted route: the epoch marker and the
	// preview. Without them evidence ends at Accepted. Default: true.
	// +optional
	// +kubebuilder:default=true
	InsertRules *bool `json:"insertRules,omitempty"`
	// requireEvidence is how sure Lockstep must be that a route is in force before it goes on. Accepted is a statement
	// of the control plane: the whole drainTimeout is then waited before anything is scaled down. Written, that the API
	// server holds it, is all that can be had of a service, and must be said there. Default: Served.
	// +optional
	// +kubebuilder:default=Served
	// +kubebuilder:validation:Enum=Written;Accepted;Served
	RequireEvidence Evidence `json:"requireEvidence,omitempty"`
}

// TestersSuffix ends the name of the HTTPRoute that is made for a preview's hostname, and of what the status says of it.
const TestersSuffix = "-preview"

// RouteKey is the namespace and name of the entry's route in a Stack; by default <stack>-<entry> in the Stack's namespace.
func (e *Entry) RouteKey(stack types.NamespacedName) types.NamespacedName {
	name, namespace := e.routeNamed()
	return types.NamespacedName{
		Namespace: cmp.Or(namespace, stack.Namespace),
		Name:      cmp.Or(name, stack.Name+"-"+e.Name),
	}
}

func (e *Entry) routeNamed() (name, namespace string) {
	switch {
	case e.VirtualService != nil:
		return e.VirtualService.Name, e.VirtualService.Namespace
	case e.HTTPRoute != nil:
		return e.HTTPRoute.Name, e.HTTPRoute.Namespace
	case e.Service != nil:
		return e.Service.Name, e.Service.Namespace
	}
	return "", ""
}

// VirtualServiceEntry is an Istio VirtualService.
//
// +kubebuilder:validation:XValidation:rule="has(self.hosts) == has(self.gateways)",message="to have the VirtualService made, give both hosts and gateways; to adopt one, give its name alone"
// +kubebuilder:validation:XValidation:rule="has(self.hosts) || has(self.name)",message="name the VirtualService to adopt, or give hosts and gateways to have one made"
type VirtualServiceEntry struct {
	// name of the VirtualService. Default, where Lockstep makes it: <stack>-<entry>.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name,omitempty"`
	// namespace of the VirtualService. Default: the Stack's.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:MinLength=1
	Namespace string `json:"namespace,omitempty"`
	// hosts that users ask for.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	Hosts []string `json:"hosts,omitempty"`
	// gateways, as namespace/name, that the route is attached to.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=317
	Gateways []string `json:"gateways,omitempty"`
}

// Adopted reports whether the team has made the route, and Lockstep only moves its destinations.
func (v *VirtualServiceEntry) Adopted() bool { return len(v.Hosts) == 0 }

// ServiceEntry is a Service of type ExternalName.
//
// +kubebuilder:validation:XValidation:rule="!has(self.__namespace__) || (has(self.adopt) && self.adopt)",message="a Service that Lockstep makes lies in the Stack's namespace: remove namespace, or set adopt: true for one that the team has made elsewhere"
type ServiceEntry struct {
	// name of the Service.
	// +required
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// adopt takes over an ExternalName Service that the team has made: only the namespace in its externalName is
	// changed. Default: Lockstep makes the Service.
	// +optional
	Adopt bool `json:"adopt,omitempty"`
	// namespace of an adopted Service. Default: the Stack's.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:MinLength=1
	Namespace string `json:"namespace,omitempty"`
	// port that callers use; it must be the backend's, since nothing maps it. Default: the backend's.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
	// clusterDomain ends the names of Services in this cluster's DNS. Default: cluster.local.
	// +optional
	// +kubebuilder:default="cluster.local"
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +kubebuilder:validation:MaxLength=120
	ClusterDomain string `json:"clusterDomain,omitempty"`
}

// HTTPRouteEntry is a Gateway API HTTPRoute.
//
// +kubebuilder:validation:XValidation:rule="has(self.parentRefs) || has(self.name)",message="name the HTTPRoute to adopt, or give parentRefs to have one made"
// +kubebuilder:validation:XValidation:rule="has(self.parentRefs) || !has(self.hostnames)",message="hostnames belong to a route that Lockstep makes: add parentRefs, or remove hostnames to adopt the route by name"
type HTTPRouteEntry struct {
	// name of the HTTPRoute. Default, where Lockstep makes it: <stack>-<entry>.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name,omitempty"`
	// namespace of the HTTPRoute. Default: the Stack's.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:MinLength=1
	Namespace string `json:"namespace,omitempty"`
	// parentRefs are the Gateways that the route is attached to.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	ParentRefs []ParentRef `json:"parentRefs,omitempty"`
	// hostnames that users ask for.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	Hostnames []string `json:"hostnames,omitempty"`
}

// Adopted reports whether the team has made the route, and Lockstep only moves its destinations.
func (h *HTTPRouteEntry) Adopted() bool { return len(h.ParentRefs) == 0 }

// ParentRef names a Gateway, and perhaps one listener of it.
type ParentRef struct {
	// name of the Gateway.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// namespace of the Gateway. Default: the route's.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
	// sectionName is the listener's name. Default: every listener that takes the route.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SectionName string `json:"sectionName,omitempty"`
}

// Backend is a Service, by the same name in each slot, and its port.
type Backend struct {
	// service is the Service's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Service string `json:"service"`
	// port of the Service.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`
}

// BetweenReleases says where testers are sent while nothing is previewed.
// +kubebuilder:validation:Enum=Live;None
type BetweenReleases string

// Where testers are sent while nothing is previewed.
const (
	// BetweenLive answers preview requests with the live release.
	BetweenLive BetweenReleases = "Live"
	// BetweenNone answers preview requests with 404.
	BetweenNone BetweenReleases = "None"
)

// Preview says how testers reach a release before users do. With several ways, each is enough.
//
// +kubebuilder:validation:XValidation:rule="has(self.header) || has(self.cookie) || has(self.hostname)",message="a preview needs a header, a cookie or a hostname"
type Preview struct {
	// header that sends a request to the preview when it has exactly this value.
	// +optional
	Header *NameValue `json:"header,omitempty"`
	// cookie that sends a request to the preview when it has exactly this value.
	// +optional
	Cookie *NameValue `json:"cookie,omitempty"`
	// hostname of the preview. A VirtualService takes it beside its own hosts (an adopted one must list it already). For
	// an httpRoute Lockstep makes a second HTTPRoute, named like the entry's with -preview: it is written after the
	// entry's own, and not in the same write.
	// +optional
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$`
	// +kubebuilder:validation:MaxLength=253
	Hostname string `json:"hostname,omitempty"`
	// parentRefs are the Gateways of the HTTPRoute that is made for hostname. Default: those of the entry's httpRoute.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	ParentRefs []ParentRef `json:"parentRefs,omitempty"`
	// betweenReleases says where testers are sent while nothing is previewed: Live (the live release) or None (404).
	// +optional
	// +kubebuilder:default=Live
	BetweenReleases BetweenReleases `json:"betweenReleases,omitempty"`
}

// NameValue is a name and the exact value it must have.
type NameValue struct {
	// name of the header or cookie.
	// +required
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+$`
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// value that it must have.
	// +required
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_.-]+$`
	// +kubebuilder:validation:MaxLength=63
	Value string `json:"value"`
}

// Role says what a member does.
// +kubebuilder:validation:Enum=Service;Worker
type Role string

// What a member does.
const (
	// RoleService is called by others; it may run in several slots at once.
	RoleService Role = "Service"
	// RoleWorker acts without being called (consumers, CronJobs); it runs in the live slot only.
	RoleWorker Role = "Worker"
)

// Member says of a workload what cannot be seen in its manifest.
type Member struct {
	// name of the workload.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// role of the workload: Service, or Worker (runs in the live slot only). CronJobs are Workers.
	// +optional
	// +kubebuilder:default=Service
	Role Role `json:"role,omitempty"`
	// dependsOn lists members that must be ready before this one runs. It may be applied before, at zero.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	DependsOn []Dependency `json:"dependsOn,omitempty"`
}

// Dependency names another member.
type Dependency struct {
	// name of the member that is needed.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
}

// ObjectPattern matches rendered objects.
type ObjectPattern struct {
	// kind of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// name of the object. Default: every object of the kind.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// Sessions says how users who are on the old slot are treated.
type Sessions struct {
	// drainTimeout is how long requests and connections that began at the old slot may go on, after no new ones reach
	// it, before it is scaled down.
	// +optional
	// +kubebuilder:default="1m"
	DrainTimeout *metav1.Duration `json:"drainTimeout,omitempty"`
}

// Strategy says how users are moved to a new release.
type Strategy struct {
	// blueGreen moves all users at once.
	// +optional
	// +kubebuilder:default={}
	BlueGreen BlueGreen `json:"blueGreen,omitempty"`
}

// Promotion says who says that a release goes live.
// +kubebuilder:validation:Enum=Manual;Auto
type Promotion string

// Who says that a release goes live.
const (
	// PromotionManual waits at Hold for a promote Decision.
	PromotionManual Promotion = "Manual"
	// PromotionAuto goes on as soon as every check has passed.
	PromotionAuto Promotion = "Auto"
)

// BlueGreen moves all users at once.
type BlueGreen struct {
	// promotion is Manual (a promote Decision moves users) or Auto (users are moved once every check has passed).
	// +optional
	// +kubebuilder:default=Manual
	Promotion Promotion `json:"promotion,omitempty"`
	// previewReplicas is how many replicas each member has while it is previewed; it is scaled to the live size before
	// users come. Default: the live size at once.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	PreviewReplicas *int32 `json:"previewReplicas,omitempty"`
	// keepPrevious says how long the previous release is kept running, ready for an instant rollback.
	// +optional
	// +kubebuilder:default={}
	KeepPrevious KeepPrevious `json:"keepPrevious,omitempty"`
	// capacity is what happens where the nodes, or a quota at the live size, have too little room for a release: Warn (an
	// event says so, and the release goes on: a cluster autoscaler may add nodes) or Require (the release waits before
	// anything is applied).
	// +optional
	// +kubebuilder:default=Warn
	Capacity Capacity `json:"capacity,omitempty"`
}

// Capacity is what happens where there is too little room for a release.
// +kubebuilder:validation:Enum=Warn;Require
type Capacity string

// What happens where there is too little room for a release.
const (
	// CapacityWarn says so, and goes on.
	CapacityWarn Capacity = "Warn"
	// CapacityRequire waits before anything is applied.
	CapacityRequire Capacity = "Require"
)

// KeepPrevious says how long the previous release is kept running, and how large.
//
// +kubebuilder:validation:XValidation:rule="!has(self.__for__) || duration(self.__for__) > duration('0s') || (!has(self.replicas) && (!has(self.yield) || !self.yield))",message="with for: 0s nothing is kept; remove replicas and yield, or give for some time"
type KeepPrevious struct {
	// for is how long. After it a rollback is cold: the frozen content is deployed again.
	// +optional
	// +kubebuilder:default="10m"
	For *metav1.Duration `json:"for,omitempty"`
	// replicas is how many replicas each member of the kept release has, once what was in flight had its drainTimeout. A
	// rollback then scales it up to the live size before it moves users, and is not instant. Default: as many as it had.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Replicas *int32 `json:"replicas,omitempty"`
	// yield gives the kept release up as soon as the next release needs its slot. Default: the next release waits.
	// +optional
	Yield bool `json:"yield,omitempty"`
}

// Deadlines bounds each step.
type Deadlines struct {
	// render bounds fetching and rendering the source. At most 30m: few are rendered at once.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) <= duration('30m')",message="at most 30m, because few releases of all Stacks are rendered at once"
	// +kubebuilder:default="2m"
	Render *metav1.Duration `json:"render,omitempty"`
	// deploy bounds applying the members, waits for what they depend on included.
	// +optional
	// +kubebuilder:default="10m"
	Deploy *metav1.Duration `json:"deploy,omitempty"`
	// check bounds how long the members may take to get ready.
	// +optional
	// +kubebuilder:default="10m"
	Check *metav1.Duration `json:"check,omitempty"`
	// hold bounds how long a release waits to be promoted. Default: for ever.
	// +optional
	Hold *metav1.Duration `json:"hold,omitempty"`
	// switch bounds how long routes may take to be in force, and workers to be handed over.
	// +optional
	// +kubebuilder:default="5m"
	Switch *metav1.Duration `json:"switch,omitempty"`
}

// QueuePolicy says what a new release does while another one is active.
// +kubebuilder:validation:Enum=Wait;Supersede
type QueuePolicy string

// What a new release does while another one is active.
const (
	// QueueWait waits for its turn, in order of creation.
	QueueWait QueuePolicy = "Wait"
	// QueueSupersede ends an older release that has not begun to move users.
	QueueSupersede QueuePolicy = "Supersede"
)

// Queue says what a new release does while another one is active.
type Queue struct {
	// policy is Wait (in order of creation) or Supersede (a newer release ends an older one that has not begun to move users).
	// +optional
	// +kubebuilder:default=Wait
	Policy QueuePolicy `json:"policy,omitempty"`
	// group is a queue that Stacks of any namespace share: of all that name it, one release is active at a time. Rollbacks
	// do not wait for it. Default: none.
	// +optional
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Group string `json:"group,omitempty"`
}
