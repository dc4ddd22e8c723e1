// Package settest is the harness of every test that touches a database: real
// mariadbd processes under the service's own accounts, whole playgrounds of the
// real programs, and a faultproxy that ends with its test.
//
// Guaranteed: each World has databases of its own; when its test ends the books
// of all of them are audited, and a violation fails the test; nothing is left
// running. Not guaranteed: isolation of load: the servers are shared by the
// tests of one package.
package settest
