package apply

import (
	"fmt"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// team is a client with the rights of the Stack's ServiceAccount. The clients of all ServiceAccounts share their
// connections.
func (a *Applier) team(stack *v1alpha1.Stack) (client.Client, error) {
	user := userOf(stack)
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if c := a.teams[user]; c != nil {
		return c, nil
	}
	c, err := client.New(a.acting(user), client.Options{Scheme: a.Client.Scheme(), Mapper: a.Client.RESTMapper()})
	if err != nil {
		return nil, fmt.Errorf("making a client for %s: %w", user, err)
	}
	a.teams[user] = c
	return c, nil
}

// requestTimeout bounds one request, so that no answer is waited for that will not come.
const requestTimeout = 30 * time.Second

func (a *Applier) acting(user string) *rest.Config {
	config := rest.CopyConfig(a.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user}
	config.Timeout = requestTimeout
	return config
}

func userOf(stack *v1alpha1.Stack) string {
	return "system:serviceaccount:" + stack.Namespace + ":" + serviceAccount(stack)
}

func serviceAccount(stack *v1alpha1.Stack) string {
	if stack.Spec.ServiceAccountName == "" {
		return v1alpha1.DefaultServiceAccount
	}
	return stack.Spec.ServiceAccountName
}

// grantCommand is what a person runs to give the ServiceAccount its rights in a namespace.
func grantCommand(stack *v1alpha1.Stack, namespace string) string {
	account := serviceAccount(stack)
	return fmt.Sprintf("kubectl create rolebinding %s --namespace %s --clusterrole %s --serviceaccount %s:%s",
		account, namespace, v1alpha1.ReleaserClusterRole, stack.Namespace, account)
}

func createAccountCommand(stack *v1alpha1.Stack) string {
	return fmt.Sprintf("kubectl create serviceaccount %s --namespace %s", serviceAccount(stack), stack.Namespace)
}

// asTeam words an answer to a request that was made with the rights of the Stack's ServiceAccount.
func asTeam(stack *v1alpha1.Stack, namespace, what string, err error) error {
	switch {
	case isImpersonationDenied(err):
		return refuse(v1alpha1.ReasonForbidden,
			"%s: the controller may not act as ServiceAccount %s/%s; name %s in spec.serviceAccountName, or let an administrator grant the controller the verb impersonate on that ServiceAccount",
			what, stack.Namespace, serviceAccount(stack), v1alpha1.DefaultServiceAccount)
	case isDenied(err):
		return refuse(v1alpha1.ReasonForbidden,
			"%s: ServiceAccount %s/%s has not the right (%s); bind it in namespace %s: %s",
			what, stack.Namespace, serviceAccount(stack), said(err), namespace, grantCommand(stack, namespace))
	}
	return refused(what, err)
}
