// Signs with PDFBox 2 and BouncyCastle, asked line by line. A line is: pdf TAB key TAB field TAB certifies TAB out ("-"
// for none) TAB certificates in hexadecimal, separated by commas. The answer is seconds for one call.
// It signs the prepared field, certifies where asked, draws nothing: a stamp would only make it slower.

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Calendar;
import java.util.List;
import org.apache.pdfbox.cos.COSArray;
import org.apache.pdfbox.cos.COSDictionary;
import org.apache.pdfbox.cos.COSName;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.PDSignature;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.SignatureInterface;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.SignatureOptions;
import org.apache.pdfbox.pdmodel.interactive.form.PDSignatureField;
import org.bouncycastle.asn1.ASN1EncodableVector;
import org.bouncycastle.asn1.DERSet;
import org.bouncycastle.asn1.cms.Attribute;
import org.bouncycastle.asn1.cms.AttributeTable;
import org.bouncycastle.asn1.ess.ESSCertIDv2;
import org.bouncycastle.asn1.ess.SigningCertificateV2;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.nist.NISTObjectIdentifiers;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.CMSAttributeTableGenerator;
import org.bouncycastle.cms.DefaultSignedAttributeTableGenerator;
import org.bouncycastle.cms.SignerInfoGenerator;
import org.bouncycastle.cms.jcajce.JcaSignerInfoGeneratorBuilder;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;

public class PdfBox {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null;) {
            String[] asked = line.split("\t");
            byte[] pdf = Files.readAllBytes(Path.of(asked[0]));
            Signer signer = new Signer(Files.readAllBytes(Path.of(asked[1])), asked[5].split(","));
            boolean certifies = asked[3].equals("true");
            if (!asked[4].equals("-")) {
                Files.write(Path.of(asked[4]), signed(pdf, signer, asked[2], certifies));
            }
            long begun = computed();
            int calls = 0;
            while (calls == 0 || (computed() - begun) / 1e9 < 0.2) {
                signed(pdf, signer, asked[2], certifies);
                calls++;
            }
            System.out.println((computed() - begun) / 1e9 / calls);
        }
    }

    static long computed() {
        return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
    }

    static byte[] signed(byte[] pdf, Signer signer, String field, boolean certifies) throws Exception {
        try (PDDocument document = PDDocument.load(pdf); SignatureOptions options = new SignatureOptions()) {
            PDSignature signature = new PDSignature();
            signature.setFilter(PDSignature.FILTER_ADOBE_PPKLITE);
            signature.setSubFilter(COSName.getPDFName("ETSI.CAdES.detached"));
            signature.setSignDate(Calendar.getInstance());
            options.setPreferredSignatureSize(24576);
            ((PDSignatureField) document.getDocumentCatalog().getAcroForm().getField(field)).setValue(signature);
            if (certifies) {
                certify(document, signature);
            }
            document.addSignature(signature, signer, options);
            ByteArrayOutputStream out = new ByteArrayOutputStream(pdf.length + 65536);
            document.saveIncremental(out);
            return out.toByteArray();
        }
    }

    static void certify(PDDocument document, PDSignature signature) {
        COSDictionary parameters = new COSDictionary();
        parameters.setItem(COSName.TYPE, COSName.getPDFName("TransformParams"));
        parameters.setInt(COSName.P, 2);
        parameters.setName(COSName.V, "1.2");
        COSDictionary reference = new COSDictionary();
        reference.setItem(COSName.TYPE, COSName.getPDFName("SigRef"));
        reference.setItem(COSName.getPDFName("TransformMethod"), COSName.getPDFName("DocMDP"));
        reference.setItem(COSName.getPDFName("TransformParams"), parameters);
        parameters.setNeedToBeUpdated(true);
        reference.setNeedToBeUpdated(true);
        COSArray references = new COSArray();
        references.add(reference);
        references.setNeedToBeUpdated(true);
        signature.getCOSObject().setItem(COSName.getPDFName("Reference"), references);
        COSDictionary permissions = new COSDictionary();
        permissions.setItem(COSName.getPDFName("DocMDP"), signature);
        permissions.setNeedToBeUpdated(true);
        COSDictionary catalog = document.getDocumentCatalog().getCOSObject();
        catalog.setItem(COSName.getPDFName("Perms"), permissions);
        catalog.setNeedToBeUpdated(true);
    }

    static class Signer implements SignatureInterface {
        private final JcaCertStore certificates;
        private final SignerInfoGenerator generator;

        Signer(byte[] key, String[] hexadecimal) throws Exception {
            List<X509Certificate> chain = new ArrayList<>();
            CertificateFactory factory = CertificateFactory.getInstance("X.509");
            for (String one : hexadecimal) {
                chain.add((X509Certificate) factory.generateCertificate(new ByteArrayInputStream(bytes(one))));
            }
            X509Certificate own = chain.get(0);
            String kind = own.getPublicKey().getAlgorithm();
            PrivateKey secret = KeyFactory.getInstance(kind).generatePrivate(new PKCS8EncodedKeySpec(key));
            ContentSigner signer = new JcaContentSignerBuilder(kind.equals("EC") ? "SHA256withECDSA" : "SHA256withRSA")
                .build(secret);
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(own.getEncoded());
            ESSCertIDv2 id = new ESSCertIDv2(new AlgorithmIdentifier(NISTObjectIdentifiers.id_sha256), digest);
            ASN1EncodableVector attributes = new ASN1EncodableVector();
            attributes.add(new Attribute(PKCSObjectIdentifiers.id_aa_signingCertificateV2,
                new DERSet(new SigningCertificateV2(id))));
            CMSAttributeTableGenerator withoutTime = parameters -> new DefaultSignedAttributeTableGenerator(
                new AttributeTable(attributes)).getAttributes(parameters)
                .remove(PKCSObjectIdentifiers.pkcs_9_at_signingTime);
            this.generator = new JcaSignerInfoGeneratorBuilder(new JcaDigestCalculatorProviderBuilder().build())
                .setSignedAttributeGenerator(withoutTime).build(signer, own);
            this.certificates = new JcaCertStore(chain);
        }

        public byte[] sign(InputStream content) {
            try {
                CMSSignedDataGenerator made = new CMSSignedDataGenerator();
                made.addSignerInfoGenerator(generator);
                made.addCertificates(certificates);
                return made.generate(new CMSProcessableByteArray(content.readAllBytes()), false).getEncoded();
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        }

        private static byte[] bytes(String hexadecimal) {
            byte[] out = new byte[hexadecimal.length() / 2];
            for (int n = 0; n < out.length; n++) {
                out[n] = (byte) Integer.parseInt(hexadecimal.substring(2 * n, 2 * n + 2), 16);
            }
            return out;
        }
    }
}
