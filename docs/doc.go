// Package docs holds the documentation, and the tests that it is true.
package docs
