package observe

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func stackLabels(more ...string) map[string]string {
	set := map[string]string{v1alpha1.LabelStack: "shop", v1alpha1.LabelStackNamespace: "home"}
	for i := 0; i+1 < len(more); i += 2 {
		set[more[i]] = more[i+1]
	}
	return set
}

func inSlot(name string, labels map[string]string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "home-blue", Name: name, Labels: labels}
}

// rolledOut is a Deployment of a release with all of its replicas ready.
func rolledOut(name, release string, replicas int32) *appsv1.Deployment {
	d := &appsv1.Deployment{
		ObjectMeta: inSlot(name, stackLabels()),
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name, v1alpha1.LabelRelease: release}}},
		},
		Status: appsv1.DeploymentStatus{
			ObservedGeneration: 3, Replicas: replicas, UpdatedReplicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas,
			Conditions: []appsv1.DeploymentCondition{
				{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"},
				{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue},
			},
		},
	}
	d.Generation = 3
	d.Annotations = map[string]string{v1alpha1.AnnotationEpoch: "7"}
	return d
}

// podOf is a ready Pod of the Deployment web.
func podOf(name, release string) *corev1.Pod {
	const deployment = "web"
	labels := stackLabels("app", deployment, v1alpha1.LabelRelease, release, v1alpha1.LabelMember, deployment)
	pod := &corev1.Pod{
		ObjectMeta: inSlot(name, labels),
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			PodIP:      "10.0.0.1",
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
	return ownedBy(pod, "ReplicaSet", deployment+"-5d8f")
}

func ownedBy(pod *corev1.Pod, kind, name string) *corev1.Pod {
	pod.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: name, Controller: new(true)}}
	return pod
}

func terminating(pod *corev1.Pod) *corev1.Pod {
	pod.DeletionTimestamp = &metav1.Time{Time: monday}
	pod.Finalizers = []string{"kubernetes"} // the fake client keeps no deleted object without one
	return pod
}

func serviceOf(name, release string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: inSlot(name, stackLabels()),
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": name, v1alpha1.LabelRelease: release},
			Ports:    []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}},
		},
	}
}

func sliceOf(service string, endpoints ...discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta: inSlot(service+"-x", stackLabels(discoveryv1.LabelServiceName, service)),
		Ports:      []discoveryv1.EndpointPort{{Name: new("http"), Port: new(int32(8080))}},
		Endpoints:  endpoints,
	}
}

func endpoint(pod string, ready bool) discoveryv1.Endpoint {
	return discoveryv1.Endpoint{
		Addresses:  []string{"10.0.0.1"},
		Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		TargetRef:  &corev1.ObjectReference{Kind: "Pod", Name: pod},
	}
}
