// Package git reads what a Stack is released from: it resolves revisions and checks commits out, without a git binary,
// hooks, filters, submodules or LFS.
//
// Repositories are not trusted: what they send is bounded, and nothing of it leads outside the checkout. What people must
// change is an Error, which carries a reason of api/v1alpha1.
package git
