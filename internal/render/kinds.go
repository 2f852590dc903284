package render

import "slices"

// clusterKinds are the kinds that belong to no namespace, by group: Kubernetes' own, and those of operators that stacks
// often carry along. Whether another kind does only the cluster knows.
var clusterKinds = map[string][]string{
	"": {"ComponentStatus", "Namespace", "Node", "PersistentVolume"},
	"admissionregistration.k8s.io": {
		"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration",
		"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
	},
	"apiextensions.k8s.io":         {"CustomResourceDefinition"},
	"apiregistration.k8s.io":       {"APIService"},
	"authentication.k8s.io":        {"SelfSubjectReview", "TokenReview"},
	"authorization.k8s.io":         {"SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"},
	"certificates.k8s.io":          {"CertificateSigningRequest", "ClusterTrustBundle"},
	"cert-manager.io":              {"ClusterIssuer"},
	"external-secrets.io":          {"ClusterExternalSecret", "ClusterSecretStore"},
	"flowcontrol.apiserver.k8s.io": {"FlowSchema", "PriorityLevelConfiguration"},
	"gateway.networking.k8s.io":    {"GatewayClass"},
	"internal.apiserver.k8s.io":    {"StorageVersion"},
	"kyverno.io":                   {"ClusterPolicy"},
	"networking.k8s.io":            {"IngressClass", "IPAddress", "ServiceCIDR"},
	"node.k8s.io":                  {"RuntimeClass"},
	"policy":                       {"PodSecurityPolicy"},
	"rbac.authorization.k8s.io":    {"ClusterRole", "ClusterRoleBinding"},
	"resource.k8s.io":              {"DeviceClass", "DeviceTaintRule", "ResourceSlice"},
	"scheduling.k8s.io":            {"PriorityClass"},
	"storage.k8s.io":               {"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"},
	"storagemigration.k8s.io":      {"StorageVersionMigration"},
}

// kindSet is every kind of a group but some, or none but some.
type kindSet struct {
	only   []string
	except []string
}

func (s kindSet) has(kind string) bool {
	if s.only != nil {
		return slices.Contains(s.only, kind)
	}
	return !slices.Contains(s.except, kind)
}

// exposingKinds lead traffic of users to what they name. Of the routing groups, what only concerns calls inside the
// namespace is let through.
var exposingKinds = map[string]kindSet{
	"configuration.konghq.com":    {only: []string{"TCPIngress", "UDPIngress"}},
	"extensions":                  {only: []string{"Ingress"}},
	"externaldns.k8s.io":          {only: []string{"DNSEndpoint"}},
	"gateway.networking.k8s.io":   {except: []string{"BackendTLSPolicy", "ReferenceGrant"}},
	"gateway.networking.x-k8s.io": {except: []string{"XBackendTrafficPolicy"}},
	"getambassador.io":            {only: []string{"Host", "Listener", "Mapping", "TCPMapping"}},
	"networking.istio.io":         {except: []string{"ProxyConfig", "Sidecar"}},
	"networking.k8s.io":           {only: []string{"Ingress"}},
	"projectcontour.io":           {only: []string{"HTTPProxy"}},
	"route.openshift.io":          {only: []string{"Route"}},
	"traefik.containo.us":         {only: []string{"IngressRoute", "IngressRouteTCP", "IngressRouteUDP"}},
	"traefik.io":                  {only: []string{"IngressRoute", "IngressRouteTCP", "IngressRouteUDP"}},
	"networking.gke.io":           {only: []string{"MultiClusterIngress"}},
	"elbv2.k8s.aws":               {only: []string{"TargetGroupBinding"}},
	"serving.knative.dev":         {only: []string{"DomainMapping", "Route", "Service"}},
	"gateway.solo.io":             {only: []string{"VirtualService"}},
	"apisix.apache.org":           {only: []string{"ApisixRoute"}},
	"k8s.nginx.org":               {only: []string{"TransportServer", "VirtualServer", "VirtualServerRoute"}},
}
