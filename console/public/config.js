// Where the API is. Empty: the origin that served this page. A static host puts its own file here:
// window.REMIT = { api: "https://remit.example.com" };
window.REMIT = { api: "" };
