package observe

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// gatewayPod is a gateway that answers as its route at some epoch would have it.
type gatewayPod struct {
	*httptest.Server
	epoch atomic.Int64
	asked atomic.Int64
}

// startGateway serves the marker that the route of the entry carries at an epoch.
func startGateway(t *testing.T, stack *v1alpha1.Stack, epoch int64, start func(*httptest.Server)) *gatewayPod {
	t.Helper()
	g := &gatewayPod{}
	g.epoch.Store(epoch)
	spec := entry.Specs(stack)[0]
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.asked.Add(1)
		if r.Host != "shop.example.com" || r.URL.Path != spec.MarkerPath() || r.Header.Get("Connection") != "close" {
			http.NotFound(w, r)
			return
		}
		answerMarker(t, w, spec, g.epoch.Load())
	}))
	start(g.Server)
	t.Cleanup(g.Close)
	return g
}

func answerMarker(t *testing.T, w http.ResponseWriter, spec entry.Spec, epoch int64) {
	route, err := entry.Write(spec, nil, v1alpha1.RouteIntent{Epoch: epoch, Live: "blue"})
	if err != nil {
		t.Error(err)
		return
	}
	if spec.Entry.VirtualService != nil {
		rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "http")
		body, _, _ := unstructured.NestedString(rules[0].(map[string]any), "directResponse", "body", "string")
		_, _ = fmt.Fprint(w, body)
		return
	}
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	filter := rules[0].(map[string]any)["filters"].([]any)[0].(map[string]any)
	host, _, _ := unstructured.NestedString(filter, "requestRedirect", "hostname")
	w.Header().Set("Location", "http://"+host+"/")
	w.WriteHeader(http.StatusFound)
}

func (g *gatewayPod) port(t *testing.T) int32 {
	t.Helper()
	_, port, err := net.SplitHostPort(strings.SplitN(g.URL, "://", 2)[1])
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return int32(n)
}

// objects are the gateway's Service, and Pods and EndpointSlices that lead to the test servers.
func gatewayObjects(t *testing.T, servicePort int32, pods ...*gatewayPod) []client.Object {
	t.Helper()
	labels := map[string]string{"istio": "ingressgateway"}
	objects := []client.Object{&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "istio-system", Name: "gateway"},
		Spec:       corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Name: "web", Port: servicePort}}},
	}}
	for i, pod := range pods {
		name := fmt.Sprintf("gateway-%d", i)
		e := endpoint(name, true)
		e.Addresses = []string{"127.0.0.1"}
		objects = append(objects,
			&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "istio-system", Name: name, Labels: labels}},
			&discoveryv1.EndpointSlice{
				ObjectMeta: metav1.ObjectMeta{Namespace: "istio-system", Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: "gateway"}},
				Ports:      []discoveryv1.EndpointPort{{Name: new("web"), Port: new(pod.port(t))}},
				Endpoints:  []discoveryv1.Endpoint{e},
			})
	}
	return objects
}

func istioGatewayObject(server map[string]any) client.Object {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"selector": map[string]any{"istio": "ingressgateway"},
		"servers":  []any{server},
	}}}
	u.SetGroupVersionKind(istioGatewayKind)
	u.SetNamespace("istio-system")
	u.SetName("public")
	return u
}

func plainServer() map[string]any {
	return map[string]any{"port": map[string]any{"number": int64(80), "protocol": "HTTP"}, "hosts": []any{"*/*.example.com"}}
}

func apiGatewayObject(listener map[string]any) client.Object {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"gatewayClassName": "istio",
		"addresses":        []any{map[string]any{"type": "Hostname", "value": "gateway.istio-system.svc.cluster.local"}},
		"listeners":        []any{listener},
	}}}
	u.SetGroupVersionKind(apiGatewayKind)
	u.SetNamespace("istio-system")
	u.SetName("public")
	return u
}

func plainListener() map[string]any {
	return map[string]any{
		"name": "http", "port": int64(80), "protocol": "HTTP",
		"allowedRoutes": map[string]any{"namespaces": map[string]any{"from": "All"}},
	}
}

func stackWith(e v1alpha1.Entry) *v1alpha1.Stack {
	stack := smallestStack()
	if e.HTTPRoute != nil {
		e.HTTPRoute = &v1alpha1.HTTPRouteEntry{ParentRefs: []v1alpha1.ParentRef{{Name: "public", Namespace: "istio-system"}}, Hostnames: []string{"shop.example.com"}}
	}
	stack.Spec.Entries = []v1alpha1.Entry{e}
	return WithDefaults(stack)
}

// atEpochFive is the Stack's route, and the Stack with the intent saved that it was written for.
func atEpochFive(t *testing.T, stack *v1alpha1.Stack, change func(*v1alpha1.UnitStatus)) []client.Object {
	t.Helper()
	const epoch = 5
	intent := v1alpha1.RouteIntent{Epoch: epoch, Live: "blue"}
	route, err := entry.Write(entry.Specs(stack)[0], nil, intent)
	if err != nil {
		t.Fatal(err)
	}
	stack = stack.DeepCopy()
	unit := v1alpha1.UnitStatus{Name: plan.UnitAll, Epoch: epoch, Route: &intent}
	change(&unit)
	stack.Status.Units = []v1alpha1.UnitStatus{unit}
	return []client.Object{stack, route, slotNamespace("home", nil)}
}

func nothingElse(*v1alpha1.UnitStatus) {}

func TestServedWhenEveryGatewayPodAnswersTheEpoch(t *testing.T) {
	tests := []struct {
		name    string
		entry   v1alpha1.Entry
		gateway client.Object
		port    int32
		start   func(*httptest.Server)
	}{
		{"Istio", virtualServiceEntry(), istioGatewayObject(plainServer()), 80, (*httptest.Server).Start},
		{"Gateway API", httpEntry(), apiGatewayObject(plainListener()), 80, (*httptest.Server).Start},
		{"Istio over TLS", virtualServiceEntry(), istioGatewayObject(map[string]any{
			"port": map[string]any{"number": int64(443), "protocol": "HTTPS"}, "hosts": []any{"*"}, "tls": map[string]any{"mode": "SIMPLE"},
		}), 443, (*httptest.Server).StartTLS},
		{"Gateway API over TLS", httpEntry(), apiGatewayObject(map[string]any{
			"name": "https", "port": int64(443), "protocol": "HTTPS",
			"allowedRoutes": map[string]any{"namespaces": map[string]any{"from": "All"}},
		}), 443, (*httptest.Server).StartTLS},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stack := stackWith(tt.entry)
			first, second := startGateway(t, stack, 5, tt.start), startGateway(t, stack, 4, tt.start)
			objects := append(atEpochFive(t, stack, nothingElse), tt.gateway)
			c := cluster(t, interceptor.Funcs{}, append(objects, gatewayObjects(t, tt.port, first, second)...)...)

			behind := observe(t, c).Entries[0]
			if behind.Served || !strings.Contains(behind.Message, "Pod istio-system/gateway-1 still serves epoch 4") || !strings.Contains(behind.Message, "Epoch 5 is served by istio-system/gateway-0.") {
				t.Errorf("one Pod behind: served %v, message %q", behind.Served, behind.Message)
			}

			second.epoch.Store(5)
			first.asked.Store(0)
			second.asked.Store(0)
			together := observe(t, c).Entries[0]
			if !together.Served || !together.AsIntended || together.Problem != nil {
				t.Errorf("both at the epoch: %+v", together)
			}
			// A question of the former pass may still have been on its way.
			if first.asked.Load() < timesAsked || second.asked.Load() < timesAsked {
				t.Errorf("they were asked %d and %d times, want %d each at least", first.asked.Load(), second.asked.Load(), timesAsked)
			}
		})
	}
}

func TestWhyNotServed(t *testing.T) {
	port := func(n int64, protocol string) map[string]any {
		return map[string]any{"number": n, "protocol": protocol}
	}
	tests := []struct {
		name    string
		gateway client.Object
		pods    int
		want    string
	}{
		{"no Pod", istioGatewayObject(plainServer()), 0, "No ready endpoint of Gateway istio-system/public could be asked at port 80: looked at Pods labelled istio=ingressgateway."},
		{"a port that the Service lacks", istioGatewayObject(map[string]any{"port": port(8888, "HTTP"), "hosts": []any{"*"}}), 1, "at port 8888: looked at Service istio-system/gateway, port 8888."},
		{"other hosts", istioGatewayObject(map[string]any{"port": port(80, "HTTP"), "hosts": []any{"api.example.org"}}), 1, "No listener of Gateway istio-system/public takes the route's hostnames."},
		{"routes of other namespaces", istioGatewayObject(map[string]any{"port": port(80, "HTTP"), "hosts": []any{"./*"}}), 1, "No listener of Gateway"},
		{"client certificates", istioGatewayObject(map[string]any{"port": port(443, "HTTPS"), "hosts": []any{"*"}, "tls": map[string]any{"mode": "MUTUAL"}}), 1, "Port 443 of Gateway istio-system/public cannot be asked: it wants a client certificate."},
		{"a redirect alone", istioGatewayObject(map[string]any{"port": port(80, "HTTP"), "hosts": []any{"*"}, "tls": map[string]any{"httpsRedirect": true}}), 1, "No listener of Gateway"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stack := stackWith(virtualServiceEntry())
			var pods []*gatewayPod
			for range tt.pods {
				pods = append(pods, startGateway(t, stack, 5, (*httptest.Server).Start))
			}
			objects := append(atEpochFive(t, stack, nothingElse), tt.gateway)
			got := observe(t, cluster(t, interceptor.Funcs{}, append(objects, gatewayObjects(t, 80, pods...)...)...)).Entries[0]
			if got.Served || !strings.Contains(got.Message, tt.want) {
				t.Errorf("served %v, message %q, want %q", got.Served, got.Message, tt.want)
			}
		})
	}
}

func TestListenersThatTakeTheRoute(t *testing.T) {
	home := slotNamespace("home", map[string]string{"routes": "yes"})
	from := func(namespaces map[string]any) map[string]any {
		l := plainListener()
		l["allowedRoutes"] = map[string]any{"namespaces": namespaces}
		return l
	}
	tests := []struct {
		name     string
		listener map[string]any
		section  string
		want     bool
	}{
		{"all namespaces", plainListener(), "", true},
		{"the Gateway's own namespace", from(map[string]any{"from": "Same"}), "", false},
		{"namespaces by label", from(map[string]any{"from": "Selector", "selector": map[string]any{"matchLabels": map[string]any{"routes": "yes"}}}), "", true},
		{"namespaces by another label", from(map[string]any{"from": "Selector", "selector": map[string]any{"matchLabels": map[string]any{"routes": "no"}}}), "", false},
		{"the section that is named", plainListener(), "http", true},
		{"another section", plainListener(), "other", false},
		{"no HTTP", map[string]any{"name": "tcp", "port": int64(80), "protocol": "TCP"}, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stack := stackWith(httpEntry())
			stack.Spec.Entries[0].HTTPRoute.ParentRefs[0].SectionName = tt.section
			pod := startGateway(t, stack, 5, (*httptest.Server).Start)
			objects := append(atEpochFive(t, stack, nothingElse)[:2], home, apiGatewayObject(tt.listener))
			got := observe(t, cluster(t, interceptor.Funcs{}, append(objects, gatewayObjects(t, 80, pod)...)...)).Entries[0]
			if got.Served != tt.want {
				t.Errorf("served %v, want %v: %s", got.Served, tt.want, got.Message)
			}
		})
	}
}

func TestWhenGatewaysAreAsked(t *testing.T) {
	saved := func(evidence v1alpha1.Evidence, epoch int64, step v1alpha1.StepKind) func(*v1alpha1.UnitStatus) {
		return func(u *v1alpha1.UnitStatus) {
			u.Entries = []v1alpha1.EntryStatus{{Name: "web", Evidence: evidence, ObservedEpoch: epoch}}
			if step != "" {
				u.Step = &v1alpha1.StepStatus{Kind: step}
			}
		}
	}
	tests := []struct {
		name  string
		saved func(*v1alpha1.UnitStatus)
		asked bool
	}{
		{"nothing is on record", nothingElse, true},
		{"less is on record", saved(v1alpha1.EvidenceAccepted, 5, ""), true},
		{"it was served at this epoch", saved(v1alpha1.EvidenceServed, 5, ""), false},
		{"it was served while a release is held", saved(v1alpha1.EvidenceServed, 5, v1alpha1.StepHold), false},
		{"it was served at another epoch", saved(v1alpha1.EvidenceServed, 4, ""), true},
		{"users are being moved", saved(v1alpha1.EvidenceServed, 5, v1alpha1.StepSwitch), true},
		{"users are being moved back", saved(v1alpha1.EvidenceServed, 5, v1alpha1.StepAbort), true},
		{"users are being moved to the kept slot", saved(v1alpha1.EvidenceServed, 5, v1alpha1.StepRollback), true},
		{"the route is not as it was meant to be", func(u *v1alpha1.UnitStatus) {
			saved(v1alpha1.EvidenceServed, 5, "")(u)
			u.Route.Live = "green"
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stack := stackWith(virtualServiceEntry())
			pod := startGateway(t, stack, 5, (*httptest.Server).Start)
			objects := append(atEpochFive(t, stack, tt.saved), istioGatewayObject(plainServer()))
			got := observe(t, cluster(t, interceptor.Funcs{}, append(objects, gatewayObjects(t, 80, pod)...)...)).Entries[0]
			if asked := pod.asked.Load() > 0; asked != tt.asked || !got.Served {
				t.Errorf("asked %v, want %v; served %v", asked, tt.asked, got.Served)
			}
		})
	}
}

func TestAcceptedIsEnoughWhereTheStackSaysSo(t *testing.T) {
	stack := stackWith(virtualServiceEntry())
	stack.Spec.Entries[0].RequireEvidence = v1alpha1.EvidenceAccepted
	pod := startGateway(t, stack, 5, (*httptest.Server).Start)
	objects := append(atEpochFive(t, stack, nothingElse), istioGatewayObject(plainServer()))
	got := observe(t, cluster(t, interceptor.Funcs{}, append(objects, gatewayObjects(t, 80, pod)...)...)).Entries[0]
	if pod.asked.Load() > 0 || got.Served {
		t.Errorf("the gateway was asked %d times, served %v", pod.asked.Load(), got.Served)
	}
}

func TestProberGivesUp(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	if _, err := NewProber().Ask(context.Background(), Question{Address: silent.Addr().String(), Host: "shop.example.com", Path: "/"}); err == nil {
		t.Error("an answer from a gateway that says nothing")
	}
}
