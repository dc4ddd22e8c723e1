package httpapi

import (
	_ "embed"
	"net/http"

	"github.com/gin-gonic/gin"
)

//go:embed openapi.json
var openAPI string

// OpenAPI is the description of the public API: OpenAPI 3.1, JSON.
func OpenAPI() []byte { return []byte(openAPI) }

func (a *API) openAPI(c *gin.Context) {
	c.Writer.Header()["Content-Type"] = typeJSON
	c.Writer.WriteHeader(http.StatusOK)
	_, _ = c.Writer.WriteString(openAPI) // the error of a client that has gone
}
