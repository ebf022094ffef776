// The validator is off because it would be another site.
SwaggerUIBundle({
  url: "/api/_openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  supportedSubmitMethods: ["get", "head"],
  validatorUrl: null,
});
